"""CHAOS, "Combined Healthy Abdominal Organ Segmentation" (zenodo 3431873): abdominal MRI of 40 patients, 20 labelled.

A patient has a T2-SPIR scan and a dual-echo T1 scan, whose in-phase and out-of-phase images share their labels.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.organs import LABELS

from .dicom_stack import echo_time, pair_by_name, read_labelled_stack, read_plane, read_stack
from .source import Case, find_folders, map_labels, values_in, visible_files

NAME = "CHAOS"
CHANNEL = "MRI"
# Folder below the patient's, and the subfolder of DICOM_anon that newer releases have for each T1 phase.
_SEQUENCES = {"T2SPIR": ("T2SPIR", None), "T1IN": ("T1DUAL", "InPhase"), "T1OUT": ("T1DUAL", "OutPhase")}
SEQUENCES = tuple(_SEQUENCES)
_GRAY_VALUES = {"liver": (55, 70), "right_kidney": (110, 135), "left_kidney": (175, 200), "spleen": (240, 255)}


def _gray_table() -> np.ndarray:
    table = np.full(256, -1, np.int16)
    table[0] = LABELS["background"]
    for organ, (low, high) in _GRAY_VALUES.items():
        table[low : high + 1] = LABELS[organ]
    return table


_TABLE = _gray_table()


@dataclass(frozen=True, kw_only=True)
class ChaosCase(Case):
    """One MR sequence of a patient: ``folder`` holds ``DICOM_anon`` and perhaps ``Ground``."""

    folder: Path
    sequence: str

    def label_values(self) -> set[int]:
        return values_in(decode_gray(read_plane(path), path) for path in label_planes(self.folder))

    def read_image(self) -> sitk.Image:
        return read_stack(self._slices())

    def read_labelled(self) -> tuple[sitk.Image, sitk.Image]:
        return read_labelled_stack(pair_by_name(self._slices(), label_planes(self.folder)), decode_gray)

    def _slices(self) -> list[Path]:
        return dicom_slices(self.folder / "DICOM_anon", _SEQUENCES[self.sequence][1])


def decode_gray(plane: np.ndarray, path: Path) -> np.ndarray:
    """Gray values of a Ground PNG to labels.

    Raises:
        UserError: a gray value outside the organs' intervals.
    """
    return map_labels(plane, _TABLE, path)


def label_planes(folder: Path) -> list[Path]:
    """The PNGs of a sequence's ``Ground``."""
    return visible_files(folder / "Ground", ".png")


def dicom_slices(folder: Path, phase: str | None = None) -> list[Path]:
    """The slices in ``folder``, or those of one T1 phase: in its subfolder, or told apart by echo time.

    Args:
        folder: a ``DICOM_anon``.
        phase: ``InPhase``, ``OutPhase`` or None.

    Raises:
        UserError: there is none, or one folder holds other than two echo times.
    """
    separate = phase is not None and (folder / phase).is_dir()
    folder = folder / phase if separate else folder
    slices = visible_files(folder, ".dcm")
    if not slices:
        raise UserError(f"{folder} holds no DICOM slice (*.dcm): copy the case again")
    if phase is None or separate:
        return slices
    echoes = defaultdict(list)
    for path in slices:
        echoes[echo_time(path)].append(path)
    if len(echoes) != 2:
        raise UserError(f"{folder} holds {len(echoes)} echo times instead of two: sort it into InPhase and OutPhase")
    # Fat and water are in phase at 4.6 ms and out of phase at 2.3 ms (1.5 T).
    return echoes[max(echoes) if phase == "InPhase" else min(echoes)]


def find_cases(root: Path, sequences: tuple[str, ...]) -> list[ChaosCase]:
    """The MR scans of ``Train_Sets/MR`` and ``Test_Sets/MR``, at any depth below ``root``.

    Raises:
        UserError: there are none.
    """
    patients = {part: _patients(root, part) for part in ("Train_Sets", "Test_Sets")}
    known = {_identifier(folder) for folder in patients["Train_Sets"]}
    cases = []
    for part, folders in patients.items():
        for folder in folders:
            number = _identifier(folder)
            # The numbers of the two parts are different people's, even where they are equal.
            patient = f"chaos_test_{number}" if part == "Test_Sets" and number in known else f"chaos_{number}"
            for sequence in sequences:
                scan = folder / _SEQUENCES[sequence][0]
                if scan.is_dir():
                    label = scan / "Ground" if label_planes(scan) else None
                    name = f"{patient}_{sequence}"
                    cases.append(ChaosCase(name=name, patient=patient, label=label, folder=scan, sequence=sequence))
    if not cases:
        raise UserError(
            f"{root} holds no CHAOS scan of {', '.join(sequences)}: "
            f"expected Train_Sets/MR/1/{_SEQUENCES[sequences[0]][0]}/DICOM_anon in it, at any depth"
        )
    return cases


def _patients(root: Path, part: str) -> list[Path]:
    folders = [patient for found in find_folders(root, part) for patient in (found / "MR").glob("*")]
    return sorted(folder for folder in folders if folder.is_dir() and not folder.name.startswith("."))


def _identifier(folder: Path) -> str:
    return f"{int(folder.name):02d}" if folder.name.isdecimal() else folder.name
