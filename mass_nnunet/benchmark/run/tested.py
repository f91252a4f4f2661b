"""The files of the test scans: all cells of an output folder are scored on the same ones, whenever they are done."""

from collections.abc import Iterable
from pathlib import Path

from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.data.sources import digested, is_made_of, record_file, write_record
from mass_nnunet.errors import UserError

from .job import Tested


def check_tested(output: Path, tests: Iterable[Tested]) -> None:
    """Make sure that test scans and their label maps hold what they held when the first cell was predicted.

    Args:
        output: output folder of a grid.
        tests: the datasets that it is tested on.

    Raises:
        UserError: a file was changed, added or removed.
    """
    for dataset in (tested.dataset for tested in tests):
        record = record_file(output, dataset.name)
        if record.is_file() and not is_made_of(output, dataset.name, _files(dataset)):
            raise UserError(
                f"{dataset.folder}: test scans or their label maps have changed since {output} was scored on them: "
                f"restore them, or name another output in the grid; to predict again with the trained models, "
                f"remove {record}, and of each cell in {output / 'cells'} cell.json and predict_*.json"
            )


def keep_tested(output: Path, tests: Iterable[Tested]) -> None:
    """The same; what the files hold is recorded, if this is the first cell. The arguments are the same."""
    tests = list(tests)
    check_tested(output, tests)
    for dataset in (tested.dataset for tested in tests):
        if not record_file(output, dataset.name).is_file():
            write_record(output, dataset.name, digested(_files(dataset)))


def _files(dataset: RawDataset) -> list[Path]:
    cases = dataset.cases(TEST)
    images = [image for case in cases for image in dataset.images(TEST, case)]
    return [*images, *(dataset.label_path(TEST, case) for case in cases)]
