"""Synthetic CTs, three annotated ones among them, on a grid that is coarser than the real one."""

import shutil
from types import SimpleNamespace

import pytest

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.quality import alignment, corruption, grid
from mass_nnunet.quality.calibration import calibrate
from mass_nnunet.quality.references import annotated_cases, files_of, fold_of, read_references
from mass_nnunet.registration import alignment as whole
from quality_world import make_world
from tiny_group import variables


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """A coarse grid and few steps: about a second for each case."""
    patch.setattr(grid, "EDGES", (10.0, 10.0))
    patch.setattr(grid, "ALIGNED", 1.5)
    patch.setattr(alignment, "STEPS", (10, 5))
    patch.setattr(alignment, "STARTS", 1)
    patch.setattr(whole, "SCALES", (0.9, 1.0, 1.1))
    patch.setattr(corruption, "COUNT", 12)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """For one test; other folders' tests run in the same process."""
    make_quick(monkeypatch)


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
        make_quick(patch)
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
