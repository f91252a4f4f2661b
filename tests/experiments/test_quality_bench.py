"""What experiments/quality_bench.py keeps about predictions, and when it makes it again."""

import importlib
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.quality.calibration import columns
from mass_nnunet.quality.features import features
from quality_world import make_quick, make_world
from scripts import EXPERIMENTS
from tiny_group import variables


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The script, and a benchmark of one method in which the truth is predicted; registration hardly works."""
    world = make_world(tmp_path_factory.mktemp("bench"))
    bench = world.root / "one"
    (bench / "val" / "801_segmentation").mkdir(parents=True)
    shutil.copy(world.raw / "labelsTr" / "ct2.nii.gz", bench / "val" / "801_segmentation")
    predictions = bench / "cells" / "a" / "predictions" / f"{world.raw.name}_segmentation"
    shutil.copytree(world.raw / "labelsTs", predictions)
    (bench / "cells" / "a" / "scores.csv").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS))
        for variable, value in variables(world.root).items():
            patch.setenv(variable, value)
        make_quick(patch)
        script = importlib.import_module("quality_bench")
        yield SimpleNamespace(script=script, bench=bench, predictions=predictions, raw=world.raw, root=world.root)
        for name in ("quality_bench", "quality_features"):
            sys.modules.pop(name, None)


def opened(world, work=None):
    work = work or world.root / "work"
    work.mkdir(exist_ok=True)
    return world.script.Bench(RawDataset.read(world.raw), 0, [world.bench], work)


def test_the_cells(world):
    (cell,) = world.script.cells_of([world.bench], world.raw.name)
    assert cell == ("one", "segmentation", world.predictions, world.bench / "cells" / "a" / "scores.csv")


def test_samples_of_synthetic_errors_and_of_validation(world):
    bench = opened(world)
    samples = bench.samples()
    both = bench.with_validation(samples, "one")
    for one, real in ((samples, 0), (both, 4), (bench.with_validation(samples, "other"), 0)):
        numbers, dice, patients, _, is_real = columns(one.overlap)
        assert sum(is_real) == real
        assert set(patients) == {"ct0", "ct1", "ct2"}
        assert numbers.shape == (len(dice), 5)
    assert [one.true for one in both.overlap[-4:]] == [1.0] * 4  # the truth is predicted
    assert set(bench.evidence("ct2").laid) == {"ct0", "ct1"}  # none judges itself


def test_a_validation_scan_that_is_left_out_gives_no_sample(world, tmp_path):
    """It has voxels of the label ``ignore``."""
    raw = tmp_path / world.raw.name
    shutil.copytree(world.raw, raw)
    content = json.loads((raw / "dataset.json").read_text())
    content["labels"]["ignore"] = len(content["labels"])
    (raw / "dataset.json").write_text(json.dumps(content))
    label = raw / "labelsTr" / "ct2.nii.gz"
    image = sitk.ReadImage(str(label))
    sitk.WriteImage(sitk.Cast(image == 4, image.GetPixelID()) + image, str(label))  # the liver
    bench = world.script.Bench(RawDataset.read(raw), 0, [world.bench], tmp_path)
    assert set(bench.references) == {"ct0", "ct1"}
    assert bench.with_validation(world.script.Samples(), "one").overlap == []


def test_what_a_test_prediction_is_estimated_from(world):
    bench = opened(world)
    found = bench.measured("ct4", "one", "segmentation", world.predictions)
    evidence = bench.evidence("ct4")
    assert set(evidence.laid) == {"ct0", "ct1", "ct2"}
    shares = bench.shares(world.predictions / "ct4.nii.gz")
    np.testing.assert_array_equal(found.numbers[:, :2], features(shares, evidence))
    assert found.distances.shape == (4, 2)
    assert found.likeness == evidence.likeness


def test_what_comes_from_other_files_or_code_is_made_again(world, tmp_path, monkeypatch):
    bench, folder = opened(world), tmp_path / "predictions"
    shutil.copytree(world.predictions, folder)
    first = bench.measured("ct4", "one", "segmentation", folder)
    with monkeypatch.context() as patch:
        patch.setattr(world.script, "gather", None)
        patch.setattr(world.script, "candidates", None)
        np.testing.assert_array_equal(bench.measured("ct4", "one", "segmentation", folder).numbers, first.numbers)
    shutil.copy(world.raw / "labelsTs" / "ct5.nii.gz", folder / "ct4.nii.gz")
    monkeypatch.setattr(bench, "shares", lambda file: np.roll(bench.evidence("ct4").after, 3, -1))
    assert not np.array_equal(bench.measured("ct4", "one", "segmentation", folder).numbers, first.numbers)
    (tmp_path / "code.py").write_text("more")
    monkeypatch.setattr(world.script, "CODE", [*world.script.CODE, tmp_path / "code.py"])
    assert opened(world).file("ct4") != bench.file("ct4")
