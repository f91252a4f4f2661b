"""Where head and atlases disagree, in voxels of the file."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.api import Model
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.quality import branches
from mass_nnunet.quality.branches import ATLAS, HEAD, disagreements, load_with_atlases
from tiny_group import MODEL, MRI


class FakeModel:
    """Its atlases miss a corner of the first organ."""

    branches = (HEAD, ATLAS)

    @property
    def labels(self):
        return {0: "background", 1: "spleen", 2: "liver"}

    def segment_by_branches(self, images, branches):
        head = np.zeros((6, 8, 10), np.uint8)
        head[1:5, 2:6, 3:9] = 1
        atlas = head.copy()
        atlas[3:5, 4:6, 7:9] = 0
        assert list(branches) == [HEAD, ATLAS]
        images = (SimpleNamespace(image=sitk.GetImageFromArray(labels)) for labels in (head, atlas))
        return dict(zip(branches, images, strict=True))


def test_the_place_and_the_agreement(tmp_path, monkeypatch):
    monkeypatch.setattr(branches, "WIDTH", 1.0)
    file = tmp_path / "scan_0000.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((6, 8, 10), np.float32)), str(file))
    found = disagreements(FakeModel(), [file])
    assert found["spleen"].dice == pytest.approx(2 * 88 / (96 + 88), abs=1e-4)
    x, y, z = found["spleen"].index
    assert 7 <= x <= 8 and 4 <= y <= 5 and 3 <= z <= 4
    assert found["liver"] == branches.Disagreement(1.0, None)  # neither finds it


def test_a_model_without_atlases_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Model, "load", lambda folder, fold: SimpleNamespace(branches=(HEAD,)))
    with pytest.raises(UserError, match="has no atlases to compare with"):
        load_with_atlases(tmp_path, 0)


def test_a_trained_model(trained):
    model = load_with_atlases(trained / "results" / MRI / MODEL, 0)
    found = disagreements(model, [trained / "raw" / MRI / "imagesUn" / "mrun_0000.nii.gz"])
    assert list(found) == [name for name in LABELS if name != "background"]
    assert all(0 <= one.dice <= 1 for one in found.values())
