"""MRI patients in the layout of CHAOS (zenodo 3431873): a DICOM file and a gray-value PNG for each slice."""

from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.labels import LABELS

from . import dicom
from .patient import Patient, SyntheticScan

TRAIN, TEST = Path("CHAOS/Train_Sets/MR"), Path("CHAOS/Test_Sets/MR")
GRAY_VALUES = {"liver": 63, "right_kidney": 126, "left_kidney": 189, "spleen": 252}
_PUBLISHED_TRAIN = (1, 2, 3, 5, 8, 10, 13, 15, 19, 20, 21, 22, 31, 32, 33, 34, 36, 37, 38, 39)
_PUBLISHED_TEST = tuple(number for number in range(1, 41) if number not in _PUBLISHED_TRAIN)
# Folder of the DICOM files, number of the echo, echo and repetition time in ms; the in-phase echo is the longer one.
_SEQUENCES = {
    "T1OUT": ("T1DUAL/DICOM_anon/OutPhase", 1, "2.3", "132.4"),
    "T1IN": ("T1DUAL/DICOM_anon/InPhase", 2, "4.6", "132.4"),
    "T2SPIR": ("T2SPIR/DICOM_anon", 1, "70", "1800"),
}


def train_numbers(amount: int) -> list[int]:
    """Numbers of patients with ``Ground``: those of CHAOS, then 41, 43, ..."""
    return list(islice(chain(_PUBLISHED_TRAIN, count(41, 2)), amount))


def test_numbers(amount: int) -> list[int]:
    """Numbers of patients without ``Ground``: those of CHAOS, then 42, 44, ..."""
    return list(islice(chain(_PUBLISHED_TEST, count(42, 2)), amount))


def gray_labels(organs: np.ndarray) -> np.ndarray:
    """CHAOS's gray values, uint8, of a label map with the project's labels."""
    table = np.zeros(max(LABELS.values()) + 1, np.uint8)
    for name, gray in GRAY_VALUES.items():
        table[LABELS[name]] = gray
    return table[organs]


def write_patient(folder: Path, patient: Patient, labelled: bool) -> None:
    """Write T1DUAL and T2SPIR of a patient into ``folder``, with Ground where ``labelled``."""
    for sequence, (subfolder, *_) in _SEQUENCES.items():
        scan = patient.scans[sequence]
        (folder / subfolder).mkdir(parents=True)
        stems = file_stems(patient, sequence)
        _write_series(folder / subfolder, patient, sequence, stems)
        if labelled and sequence != "T1OUT":  # both phases share the Ground that is named after the in-phase files
            _write_ground(folder / Path(subfolder).parts[0] / "Ground", scan, stems)


def file_stems(patient: Patient, sequence: str) -> list[str]:
    """File name without suffix of each slice, from the lowest slice to the highest.

    The two T1 phases are one series, numbered alternately. In every other patient the numbers run from head to foot.
    """
    slices = len(patient.scans[sequence].image)
    echo = _SEQUENCES[sequence][1]
    series, step, first = (4, 2, echo) if sequence.startswith("T1") else (7, 1, 1)
    numbers = range(first, first + step * slices, step)
    return [f"IMG-{series:04d}-{number:05d}" for number in (numbers[::-1] if patient.number % 2 else numbers)]


def _write_series(folder: Path, patient: Patient, sequence: str, stems: list[str]) -> None:
    scan = patient.scans[sequence]
    _, echo, echo_time, repetition_time = _SEQUENCES[sequence]
    name = f"CHAOS^MR_SET_{patient.number}"
    study = dicom.make_uid(name, patient.scans["T1IN"].origin)  # of this patient of this seed
    series = stems[0].split("-")[1]
    common = {
        dicom.SOP_CLASS: dicom.MR_IMAGE_STORAGE,
        dicom.STUDY_DATE: "20000101",  # a fixed time: else SimpleITK writes the present one
        dicom.STUDY_TIME: "120000",
        dicom.MODALITY: "MR",
        dicom.PATIENT_NAME: name,
        dicom.PATIENT_ID: f"MR_SET_{patient.number}",
        dicom.SLICE_THICKNESS: f"{0.8 * scan.spacing[2]:.2f}",  # slices with gaps: not the step from one to the next
        dicom.SPACING_BETWEEN_SLICES: f"{scan.spacing[2]:.6f}",
        dicom.REPETITION_TIME: repetition_time,
        dicom.ECHO_TIME: echo_time,
        dicom.ECHO_NUMBER: str(echo),
        dicom.PROTOCOL: {"T1IN": "T1DUAL_InPhase", "T1OUT": "T1DUAL_OutPhase"}.get(sequence, sequence),
        dicom.PATIENT_POSITION: "HFS",
        dicom.STUDY_UID: study,
        dicom.SERIES_UID: dicom.make_uid(study, sequence),
        dicom.SERIES_NUMBER: series.lstrip("0") + "01",
        dicom.FRAME_OF_REFERENCE_UID: dicom.make_uid(study, "frame of reference"),
    }
    for index, (pixels, stem) in enumerate(zip(scan.image, stems, strict=True)):
        position = (*scan.origin[:2], scan.origin[2] + index * scan.spacing[2])
        own = {
            dicom.SOP_INSTANCE: dicom.make_uid(common[dicom.SERIES_UID], stem),
            dicom.INSTANCE_NUMBER: str(int(stem[-5:])),
        }
        dicom.write_slice(folder / f"{stem}.dcm", pixels, scan.spacing, position, common | own)


def _write_ground(folder: Path, scan: SyntheticScan, stems: list[str]) -> None:
    folder.mkdir()
    for labels, stem in zip(gray_labels(scan.organs), stems, strict=True):
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / f"{stem}.png"))
