"""Preprocessing of a dataset: nnU-Net's own for the scans of ``imagesTr``, and the same for those of ``imagesUn``."""

import contextlib
import filecmp
import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from tqdm import tqdm

from mass_nnunet.data.dataset_json import turned_by_reader
from mass_nnunet.data.label_map import check_truncation, check_whole, read_label_map
from mass_nnunet.data.outdated import named
from mass_nnunet.data.outside import outside_labels
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.sources import SOURCES, digested, is_made_of, record_file, stated, write_record
from mass_nnunet.data.stored_grid import check_same_grid
from mass_nnunet.errors import UserError, shortened
from mass_nnunet.runtime.workers import map_cases
from mass_nnunet.training.loaders import label_file, outside_folder, unlabelled_folder, write_labels

from .apart import FINGERPRINT, NNUNET_FINGERPRINT, PLANS_NAME
from .fingerprint import read_scan
from .group_planner import CONFIGURATION

_ENDINGS = ("_seg.b2nd", ".pkl", ".b2nd")


def preprocess(dataset: RawDataset, processes: int) -> None:
    """Preprocess a planned dataset: all labelled scans, and the unlabelled ones that are not preprocessed yet.

    nnU-Net's own fingerprint is extracted besides. Its trainer copies it, and stock nnU-Net plans by it.

    Raises:
        UserError: the label map of a training scan is damaged, or is not on the grid of the scan, or the disk is full.
    """
    print(f"Preprocessing {dataset.name}")
    check_grids(dataset)
    if dataset.cases(TRAINING):
        preprocess_labelled(dataset, processes)
    else:  # stock nnU-Net cannot plan it at all
        folder = dataset_folder("preprocessed", dataset.id)
        shutil.copyfile(folder / FINGERPRINT, folder / NNUNET_FINGERPRINT)
    preprocess_unlabelled(dataset, processes)
    preprocess_outside(dataset)


def preprocess_labelled(dataset: RawDataset, processes: int) -> None:
    """Preprocess the scans of ``imagesTr``, by nnU-Net's command, and extract nnU-Net's own fingerprint.

    Raises:
        UserError: a label map is damaged, or has not the shape of its scan, or the disk is full.
    """
    arrays = _arrays(dataset, _plans(dataset))
    records = {
        case: stated([*dataset.images(TRAINING, case), dataset.label_path(TRAINING, case)])
        for case in dataset.cases(TRAINING)
    }
    _forget_truth(dataset)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the plans once more, as a dict
            preprocess_dataset(dataset.id, PLANS_NAME, [CONFIGURATION], [processes])
            DatasetFingerprintExtractor(dataset.id, processes).run(overwrite_existing=True)
    except Exception as error:
        check_labels(dataset)  # nnU-Net does not say which case it is
        if isinstance(error, RuntimeError):  # of blosc2, or of nnU-Net, of which a worker has ended
            raise _not_written(dataset, error) from None
        raise
    for case, record in records.items():
        write_record(arrays, case, record)


def _forget_truth(dataset: RawDataset) -> None:
    """Delete the copies of label maps that have changed: nnU-Net copies none that is older than the copy is.

    It validates by these copies.
    """
    for label in (dataset.label_path(TRAINING, case) for case in dataset.cases(TRAINING)):
        copy = dataset_folder("preprocessed", dataset.id) / "gt_segmentations" / label.name
        if copy.is_file() and not filecmp.cmp(label, copy, shallow=False):
            copy.unlink()


def _plans(dataset: RawDataset) -> PlansManager:
    return PlansManager(str(dataset_folder("preprocessed", dataset.id) / f"{PLANS_NAME}.json"))


def _arrays(dataset: RawDataset, plans: PlansManager) -> Path:
    return dataset_folder("preprocessed", dataset.id) / plans.get_configuration(CONFIGURATION).data_identifier


def _not_written(dataset: RawDataset, error: Exception) -> UserError:
    folder, reason = dataset_folder("preprocessed", dataset.id), " ".join(str(error).split())
    return UserError(
        f"{folder} cannot be filled ({shortened(reason)}): make room on the disk, or, if a process was killed for want "
        "of memory, use fewer of them, -np 1"
    )


def check_grids(dataset: RawDataset) -> None:
    """Make sure that label maps and channels are where their scans are, by their headers; nnU-Net takes them as such.

    Raises:
        UserError: one is not (:func:`check_same_grid`), or a label map has no scan, or holds values that are not whole.
    """
    dataset.check_label_maps()
    turned = turned_by_reader(dataset.content)
    for part in (TRAINING, UNLABELLED):
        for case in dataset.cases(part):
            first, *channels = dataset.images(part, case)
            for channel in channels:
                check_same_grid(first, channel, "channel", turned=turned)
            if part is TRAINING:
                label = dataset.label_path(part, case)
                check_same_grid(first, label, "label map", turned=turned)
                check_whole(label)


def check_labels(dataset: RawDataset) -> None:
    """Read the training scans and their label maps as nnU-Net reads them.

    Raises:
        UserError: a file cannot be read, a label map is not finite, or has not the shape of its scan.
    """
    for case in dataset.cases(TRAINING):
        files = [str(file) for file in dataset.images(TRAINING, case)]
        label = dataset.label_path(TRAINING, case)
        reader = determine_reader_writer_from_dataset_json(dataset.content, files[0], verbose=False)
        shape, its_shape = (read_scan(given, reader).shape[1:] for given in (files, [str(label)]))
        if shape != its_shape:
            raise UserError(
                f"{label} has {' x '.join(map(str, its_shape))} voxels, and its scan {' x '.join(map(str, shape))}: "
                "get the label map that belongs to the scan"
            )


def preprocess_unlabelled(dataset: RawDataset, processes: int) -> None:
    """Preprocess the scans of ``imagesUn`` with the plans' own preprocessor.

    The arrays lie in nnU-Net's format in ``<data_identifier>_unlabelled``. Where the dataset has no labelled scan, they
    lie in ``<data_identifier>`` itself, as nnU-Net's trainer opens no empty folder. Their label maps hold only
    nnU-Net's mask of the crop. A scan is skipped if its arrays are whole and were made of what its files hold; a killed
    run therefore continues. :func:`group_planner.write_plans` has deleted the arrays of other plans.
    """
    plans = _plans(dataset)
    arrays = _arrays(dataset, plans)
    output = unlabelled_folder(arrays)
    if not dataset.cases(TRAINING):
        shutil.rmtree(output, ignore_errors=True)  # from when there were labelled scans, too
        output = arrays
    output.mkdir(exist_ok=True)
    images = {case: dataset.images(UNLABELLED, case) for case in dataset.cases(UNLABELLED)}
    done = _done(output, images, _ENDINGS)
    _clean(output, done, _ENDINGS)
    try:
        map_cases(
            partial(_preprocess_case, output=output, plans=plans, dataset_json=dataset.content),
            [(case, files) for case, files in images.items() if case not in done],
            processes=processes,
            description="Preprocessing unlabelled cases",
        )
    except RuntimeError as error:  # of blosc2
        raise _not_written(dataset, error) from None


def preprocess_outside(dataset: RawDataset) -> None:
    """Bring the labels of another tool (data/outside.py) to the grid of the plans, in ``<data_identifier>_pseudo``.

    A label map is skipped if its array was made of what it and its scan hold. Those of annotated scans are told.

    Raises:
        UserError: a label map cannot be read, holds a value that dataset.json does not name or that is not whole, or is
            not on the grid of its scan.
    """
    plans = _plans(dataset)
    configuration = plans.get_configuration(CONFIGURATION)
    output, labels = outside_folder(_arrays(dataset, plans)), outside_labels(dataset)
    if unused := outside_labels(dataset, TRAINING):
        print(f"note: {named(unused)} of {dataset.name} are annotated: their labels of another tool are not used")
    if not labels and not output.exists():
        return
    output.mkdir(exist_ok=True)
    files = {case: [*dataset.images(UNLABELLED, case), label] for case, label in labels.items()}
    done = _done(output, files, (".b2nd",))
    _clean(output, done, (".b2nd",))
    for case in tqdm([case for case in files if case not in done], desc="Labels of another tool", unit="case"):
        *images, label = files[case]
        record = digested(files[case])
        found = read_label_map(label, dataset.labels)
        check_truncation(sitk.GetArrayViewFromImage(found.image), found.values, label)
        check_same_grid(images[0], label, "label map", turned=turned_by_reader(dataset.content))
        names = [str(file) for file in images]
        preprocessor = configuration.preprocessor_class(verbose=False)
        _, values, _ = preprocessor.run_case(names, str(label), plans, configuration, dataset.content)
        write_labels(label_file(output, case), np.maximum(values, 0).astype(np.int16))
        write_record(output, case, record)


def _done(folder: Path, files: Mapping[str, Sequence[Path]], endings: Sequence[str]) -> set[str]:
    """The cases of which all arrays are there, made of what the files of the case hold."""
    whole = [case for case in files if all((folder / f"{case}{ending}").is_file() for ending in endings)]
    return {case for case in whole if is_made_of(folder, case, files[case])}


def _clean(folder: Path, cases: set[str], endings: Sequence[str]) -> None:
    """Delete what a killed run left, and the arrays and records of all cases but these, the records first."""
    keep = {record_file(folder, case) for case in cases}
    keep |= {folder / f"{case}{ending}" for case in cases for ending in endings}
    records = folder / SOURCES
    for path in [*(records.iterdir() if records.is_dir() else ()), *folder.iterdir()]:
        if path.is_dir() and path != records:
            shutil.rmtree(path)
        elif path not in keep and path != records:
            path.unlink()


def _preprocess_case(case: tuple[str, list[Path]], *, output: Path, plans: PlansManager, dataset_json: dict) -> None:
    name, images = case
    record = digested(images)
    configuration = plans.get_configuration(CONFIGURATION)
    preprocessor = configuration.preprocessor_class(verbose=False)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=output) as temporary:
        preprocessor.run_case_save(
            str(Path(temporary) / name), [str(image) for image in images], None, plans, configuration, dataset_json
        )
        for ending in _ENDINGS:
            (Path(temporary) / f"{name}{ending}").replace(output / f"{name}{ending}")
    write_record(output, name, record)
