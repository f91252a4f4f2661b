"""Synthetic CTs, three annotated ones among them, on a grid that is coarser than the real one."""

import shutil
from types import SimpleNamespace

import pytest

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.quality.calibration import calibrate
from mass_nnunet.quality.references import annotated_cases, files_of, fold_of, read_references
from quality_world import make_quick, make_world
from tiny_group import variables

QUICK = ((10, 5), (0.9, 1.0, 1.1), 12)
"""Registration that works: about a second for each case."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """For one test; other folders' tests run in the same process."""
    make_quick(monkeypatch, *QUICK)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """nnU-Net's folders; ``patients`` are the synthetic scans by case."""
    return make_world(tmp_path_factory.mktemp("quality"))


@pytest.fixture
def environment(world, monkeypatch):
    """nnU-Net's variables."""
    for variable, value in variables(world.root).items():
        monkeypatch.setenv(variable, value)


@pytest.fixture(scope="session")
def calibrated(world):
    """The dataset, its annotated scans, and the calibration on them."""
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch, *QUICK)
        for variable, value in variables(world.root).items():
            patch.setenv(variable, value)
        dataset = RawDataset.load(801)
        files = files_of(dataset, annotated_cases(dataset, fold_of(dataset, 0)))
        references, _ = read_references(files, dataset)
        return SimpleNamespace(dataset=dataset, references=references, calibration=calibrate(references, {}))


@pytest.fixture
def predictions(world, tmp_path):
    """A folder with the true labels of the test scans as predictions, and one of their scans."""
    folder = tmp_path / "predictions"
    shutil.copytree(world.raw / "labelsTs", folder)
    return folder
