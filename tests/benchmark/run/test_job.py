from pathlib import Path

import pytest

from mass_nnunet.benchmark.run import job as jobs  # pytest would take the class Tested for a test
from mass_nnunet.benchmark.run.grid import Cell, Grid
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.hyperparameters import INFERENCES, INFERENCES_WITHOUT_ATLASES

CT, MRI = (
    jobs.Tested(RawDataset(n, Path("raw") / f"Dataset{n}_X", {}), name) for n, name in ((801, "CT"), (802, "MRI"))
)


def job(together: bool = True, choices: tuple[str, ...] = INFERENCES, asked: tuple[str, ...] = INFERENCES) -> jobs.Job:
    grid = Grid((801, 802), ("A",), (0.5,), (3,), Path("out"), inference=asked)
    return jobs.Job(grid, Cell("A", 0.5, 3), 1, together, choices, (CT, MRI), "digest")


@pytest.mark.parametrize(
    ("choices", "asked", "inferences"),
    [
        (INFERENCES, INFERENCES, INFERENCES),
        (INFERENCES_WITHOUT_ATLASES, ("fused", "segmentation"), ("segmentation",)),
        (INFERENCES_WITHOUT_ATLASES, ("fused",), ("segmentation",)),
        ((), ("segmentation", "fused"), ("segmentation",)),
    ],
)
def test_a_model_predicts_by_what_was_asked_for_as_far_as_it_can(choices, asked, inferences):
    assert job(choices=choices, asked=asked).inferences == inferences


@pytest.mark.parametrize(("together", "ids"), [(True, [[801, 802]]), (False, [[801], [802]])])
def test_trainings(together, ids):
    assert [[dataset.id for dataset in datasets] for datasets in job(together).trainings] == ids


def test_files():
    assert job().folder == Path("out/cells/A_0.5_3")
    assert job().predictions(MRI, "fused") == Path("out/cells/A_0.5_3/predictions/Dataset802_X_fused")
    assert job().grid.models == Path("out/models")
    assert (CT.images, CT.truth) == (Path("raw/Dataset801_X/imagesTs"), Path("raw/Dataset801_X/labelsTs"))
