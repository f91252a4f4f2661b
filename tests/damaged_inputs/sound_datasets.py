"""The sound datasets that are damaged, as small as can be."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dicom_export import outlines, write_series, write_structures
from native_trees import (
    BTCV_VALUES,
    SHAPE,
    btcv_tree,
    organs,
    scan,
    volume,
    write,
    write_amos_case,
    write_chaos_patient,
    write_subject,
)


class Source(NamedTuple):
    """A sound dataset: a function that writes it, and arguments of ``mass_nnunet convert``, with {} for its folder."""

    make: Callable[[Path], object]
    arguments: str


IMAGE, LABEL = "Training/img/img0002.nii.gz", "Training/label/label0002.nii.gz"
PATIENT = "Train_Sets/MR/2"
SERIES, GROUND, T1 = f"{PATIENT}/T2SPIR/DICOM_anon", f"{PATIENT}/T2SPIR/Ground", f"{PATIENT}/T1DUAL/DICOM_anon"
SLICE, PLANE = f"{SERIES}/IMG-0002-00003.dcm", f"{GROUND}/IMG-0002-00003.png"
ECHO = f"{T1}/IMG-0004-00003.dcm"
HEART = "ct_train/ct_train_1002_label.nii.gz"
MASK = "s0002/segmentations/liver.nii.gz"
CT, CONTOURS = "Mustermann_Erika/CT", "Mustermann_Erika/RT"
CT_SLICE = f"{CT}/IM0003"
CT_BESIDE_MAPS, LABEL_MAP = f"scans/{CT}", "maps/p001_t1_s1.nii.gz"


def _chaos(root: Path) -> None:
    for number in (1, 2):
        write_chaos_patient(root / f"Train_Sets/MR/{number}", seed=number)


def _amos(root: Path) -> None:
    for part, number in (("Tr", 1), ("Tr", 2), ("Va", 3), ("Tr", 507), ("Va", 508)):
        write_amos_case(root, part, number, scan(number), organs(BTCV_VALUES))


def _mmwhs(root: Path) -> None:
    label = np.zeros(SHAPE, np.uint16)
    for index, value in enumerate((500, 600, 420, 550, 205, 820, 850)):
        label[2:5, 3 * index : 3 * index + 3, 5:15] = value
    for seed, name in enumerate(("ct_train_1001", "ct_train_1002", "mr_train_1001", "mr_train_1002")):
        write(scan(seed), root / name[:8] / f"{name}_image.nii.gz")
        write(volume(label), root / name[:8] / f"{name}_label.nii.gz")


def _nifti(root: Path) -> None:
    for seed, name in enumerate("abc"):
        write(scan(seed), root / f"images/{name}.nii.gz")
        write(organs(BTCV_VALUES), root / f"labels/{name}.nii.gz")


def _dicom(root: Path) -> None:
    slices = write_series(scan(), root / CT)
    structures = {name: outlines(organs(BTCV_VALUES), value) for name, value in BTCV_VALUES.items()}
    write_structures(root / CONTOURS, structures, slices)


def _dicom_and_nifti(root: Path) -> None:
    write_series(scan(), root / CT_BESIDE_MAPS)
    write(organs(BTCV_VALUES), root / LABEL_MAP)


def _totalsegmentator(root: Path) -> None:
    for number in (1, 2, 3):
        write_subject(root, f"s000{number}")
    (root / "meta.csv").write_text("image_id;split\ns0001;train\ns0002;val\ns0003;test\n")


_NAMED = "--labels spleen=1 right_kidney=2 left_kidney=3 liver=6"
SOURCES: Mapping[str, Source] = {
    "btcv": Source(partial(btcv_tree, labelled=3), "btcv {} -d 801"),
    "chaos": Source(_chaos, "chaos {} -d 802"),
    "amos": Source(_amos, "amos {} -d 803 804"),
    "mmwhs": Source(_mmwhs, "mmwhs {} -d 805 806"),
    "nifti": Source(_nifti, f"nifti {{0}}/images {{0}}/labels -d 807 --modality CT {_NAMED}"),
    "totalsegmentator": Source(_totalsegmentator, "totalsegmentator {} -d 807"),
    "dicom": Source(_dicom, f"dicom {{}} -d 812 --modality CT --test-fraction 0 --labels {' '.join(BTCV_VALUES)}"),
    "dicom and nifti": Source(
        _dicom_and_nifti, f"dicom {{0}}/scans {{0}}/maps -d 812 --modality CT --test-fraction 0 {_NAMED}"
    ),
}
