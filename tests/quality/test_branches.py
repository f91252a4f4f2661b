"""Where head and atlases disagree, in voxels of the file."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.api import Model
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import ATLAS, HEAD
from mass_nnunet.labels import LABELS
from mass_nnunet.quality import branches
from mass_nnunet.quality.branches import disagreements, load_with_atlases
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
        load_with_atlases(tmp_path, 0, dataset())


def dataset(channels=("T2",), labels=("background", "spleen")):
    content = {"labels": {name: value for value, name in enumerate(labels)}}
    return RawDataset(1, Path("Dataset001_A"), content | {"channel_names": dict(enumerate(channels))})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            dataset(labels=("background", "spleen", "lung", "aorta")),
            "does not segment lung, aorta, as Dataset001_A does",
        ),
        (dataset(channels=("CT",)), "segments MRI, and Dataset001_A holds CT"),
        (dataset(channels=("T2", "T1")), "segments MRI, and Dataset001_A holds T2, T1"),
    ],
)
def test_a_model_of_another_dataset_is_refused(tmp_path, monkeypatch, other, message):
    model = FakeModel()
    model.predictor = SimpleNamespace(dataset_json={"channel_names": {"0": "MRI"}})
    monkeypatch.setattr(Model, "load", lambda folder, fold: model)
    assert load_with_atlases(tmp_path, 0, dataset()) is model
    with pytest.raises(UserError, match=f"{message}: name a training on this dataset with -m"):
        load_with_atlases(tmp_path, 0, other)


def test_a_trained_model(trained):
    model = load_with_atlases(trained / "results" / MRI / MODEL, 0, RawDataset.read(trained / "raw" / MRI))
    file = trained / "raw" / MRI / "imagesUn" / "mrun_0000.nii.gz"
    image = sitk.ReadImage(str(file))
    found = disagreements(model, [file])
    assert list(found) == [name for name in LABELS if name != "background"]
    both = model.segment_by_branches(image, branches=[HEAD, ATLAS])
    head, atlas = (sitk.GetArrayFromImage(both[name].image) for name in (HEAD, ATLAS))
    for name, one in found.items():
        (first, second), size = (labels == LABELS[name] for labels in (head, atlas)), image.GetSize()
        total = first.sum() + second.sum()
        assert one.dice == pytest.approx(2 * (first & second).sum() / total if total else 1.0, abs=1e-4)
        assert (one.index is None) == np.array_equal(first, second)
        assert one.index is None or all(0 <= place < count for place, count in zip(one.index, size, strict=True))
    assert any(one.index for one in found.values())
