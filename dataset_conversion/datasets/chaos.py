"""CHAOS, "Combined Healthy Abdominal Organ Segmentation" (zenodo 3431873): MRI of 40 patients and CT of 40 others.

An MRI patient has a T2-SPIR scan and a dual-echo T1 scan, of which the in-phase and the out-of-phase image share their
labels; 20 patients are annotated. In the CTs only the liver is annotated: they become scans without labels.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.readers.dicom_slice import echo_time
from mass_nnunet.dataset_conversion.readers.dicom_stack import pair_by_name, read_labelled_stack, read_stack
from mass_nnunet.dataset_conversion.readers.nifti_case import on_first_channel
from mass_nnunet.dataset_conversion.source import (
    Case,
    Source,
    Target,
    Volumes,
    check_annotated,
    map_labels,
    visible_files,
)
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS

NAME = "chaos"
TITLE = "CHAOS: abdominal MRI, and CT as scans without labels"
LICENCE = "CC BY-SA 4.0"
REFERENCE = (
    "Kavur et al., CHAOS Challenge - combined (CT-MR) healthy abdominal organ segmentation, "
    "Medical Image Analysis 2021, data: doi 10.5281/zenodo.3431873"
)
# Folder in the patient's folder, and in newer releases the subfolder of DICOM_anon for each T1 phase.
_SEQUENCES = {"T2SPIR": ("T2SPIR", None), "T1IN": ("T1DUAL", "InPhase"), "T1OUT": ("T1DUAL", "OutPhase")}
BOTH_PHASES = "T1"
"""Both T1 phases, as two channels of one scan."""
_SEQUENCES[BOTH_PHASES] = _SEQUENCES["T1IN"]
T1_CHANNELS = ("T1in", "T1out")
SEQUENCES = tuple(_SEQUENCES)
_GRAY_VALUES = {"liver": (55, 70), "right_kidney": (110, 135), "left_kidney": (175, 200), "spleen": (240, 255)}
_TABLE = {0: LABELS["background"]} | {
    gray: LABELS[organ] for organ, (low, high) in _GRAY_VALUES.items() for gray in range(low, high + 1)
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert chaos``."""
    parser.add_argument("-d", "--dataset-id", type=int, metavar="ID", help="nnU-Net dataset id of the MRI")
    parser.add_argument(
        "--sequences",
        nargs="+",
        choices=SEQUENCES,
        default=["T2SPIR"],
        help="of the MRI; T1 is both phases of T1 as two channels, and goes with no other (default T2SPIR)",
    )
    parser.add_argument(
        "--ct-dataset-id",
        type=int,
        metavar="ID",
        help="put the CTs into this dataset, as scans without labels: an existing CT dataset, or a new one",
    )


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The MRI and CT datasets that ``mass_nnunet convert chaos`` writes, as far as ids are given.

    Raises:
        UserError: no dataset id is given, or sequences with one channel and with two.
    """
    result = []
    if args.dataset_id is not None:
        sequences = tuple(dict.fromkeys(args.sequences))
        if BOTH_PHASES in sequences and len(sequences) > 1:
            words = " ".join(sequences)
            raise UserError(f"--sequences {words}: {BOTH_PHASES} has two channels, and goes with no other")
        channel, *more = T1_CHANNELS if BOTH_PHASES in sequences else ("MRI",)
        cases = find_cases(source, sequences)
        target = Target(args.dataset_id, "CHAOS", channel, LABELS, cases, LICENCE, REFERENCE)
        result.append(target._replace(more_channels=tuple(more)))
    if args.ct_dataset_id is not None:
        cases = find_ct_cases(source)
        result.append(Target(args.ct_dataset_id, "CHAOSCT", "CT", LABELS, cases, LICENCE, REFERENCE, may_join=True))
    if not result:
        raise UserError("give -d ID for the MRI of CHAOS, --ct-dataset-id ID for its CT, or both")
    return result


@dataclass(frozen=True, kw_only=True)
class ChaosCase(Case):
    """One series of a patient.

    Attributes:
        folder: folder with ``DICOM_anon`` and, for an annotated series, ``Ground``.
        phase: ``InPhase`` or ``OutPhase`` for a T1 series.
        second: the phase that is the second channel, if there is one.
    """

    folder: Path
    phase: str | None = None
    second: str | None = None

    @property
    def source(self) -> Path:
        return self.folder

    def files(self) -> list[Path]:
        second = [] if self.second is None else self._slices(self.second)
        return self._slices(self.phase) + second + ([] if self.label is None else label_planes(self.folder))

    def read(self) -> Volumes:
        if self.label is None:
            return Volumes(read_stack(self._slices(self.phase)))
        pairs = pair_by_name(self._slices(self.phase), label_planes(self.folder))
        image, label = read_labelled_stack(pairs, decode_gray)
        check_annotated(sitk.GetArrayViewFromImage(label), self.label)
        return Volumes(image, label)

    def described(self) -> dict[str, object]:
        grays = {organ: list(interval) for organ, interval in _GRAY_VALUES.items()}
        return super().described() | {"phase": self.phase, "gray values": grays}

    def read_more(self, image: sitk.Image) -> list[sitk.Image]:
        if self.second is None:
            return []
        second = read_stack(self._slices(self.second))
        return [on_first_channel(image, self.folder, second, self.folder / self.second)]

    def _slices(self, phase: str | None) -> list[Path]:
        return dicom_slices(self.folder / "DICOM_anon", phase)


def decode_gray(plane: np.ndarray, path: Path) -> np.ndarray:
    """Labels from the gray values of a Ground PNG.

    Raises:
        UserError: a gray value is outside the intervals of the organs.
    """
    return map_labels(plane, _TABLE, path)


def label_planes(folder: Path) -> list[Path]:
    """The PNGs of a sequence's ``Ground``."""
    return visible_files(folder / "Ground", ".png")


def dicom_slices(folder: Path, phase: str | None = None) -> list[Path]:
    """The slices of a series, or of one T1 phase, from its subfolder or by their echo time.

    Args:
        folder: a ``DICOM_anon``.
        phase: ``InPhase``, ``OutPhase`` or None.

    Raises:
        UserError: there is no slice, or a folder of both phases does not hold exactly two echo times.
    """
    separate = False
    if phase is not None and (folder / phase).is_dir():
        separate, folder = True, folder / phase
    slices = visible_files(folder, ".dcm")
    if not slices:
        raise UserError(f"{folder} holds no DICOM slice (*.dcm): copy the case again")
    if phase is None or separate:
        return slices
    echoes = defaultdict(list)
    for path in slices:
        echoes[echo_time(path)].append(path)
    if len(echoes) != 2:
        raise UserError(f"{folder} does not hold two echo times, but {len(echoes)}: sort it into InPhase and OutPhase")
    # Fat and water are in phase at 4.6 ms and out of phase at 2.3 ms (1.5 T).
    return echoes[max(echoes) if phase == "InPhase" else min(echoes)]


def find_cases(source: Source, sequences: tuple[str, ...]) -> list[ChaosCase]:
    """The MR scans of ``Train_Sets/MR`` and ``Test_Sets/MR``, at any depth.

    Raises:
        UserError: there are no MR scans.
    """
    cases = []
    for patient, folder in _patients(source, "MR", "chaos"):
        for sequence in sequences:
            subfolder, phase = _SEQUENCES[sequence]
            second = _SEQUENCES["T1OUT"][1] if sequence == BOTH_PHASES else None
            scan = folder / subfolder
            if scan.is_dir():
                label = scan / "Ground" if label_planes(scan) else None
                name = f"{patient}_{sequence}"
                case = ChaosCase(name=name, patient=patient, label=label, folder=scan, phase=phase)
                cases.append(replace(case, second=second))
    if not cases:
        raise UserError(
            f"{source.path} holds no CHAOS MRI of {', '.join(sequences)}: "
            f"expected Train_Sets/MR/1/{_SEQUENCES[sequences[0]][0]}/DICOM_anon in it, at any depth"
        )
    return cases


def find_ct_cases(source: Source) -> list[ChaosCase]:
    """The CTs of ``Train_Sets/CT`` and ``Test_Sets/CT``, at any depth; their annotations of the liver are not used.

    Raises:
        UserError: there are no CTs.
    """
    cases = [
        ChaosCase(name=patient, patient=patient, folder=folder)
        for patient, folder in _patients(source, "CT", "chaos_ct")
    ]
    if not cases:
        raise UserError(f"{source.path} holds no CHAOS CT: expected Train_Sets/CT/1/DICOM_anon in it, at any depth")
    return cases


def _patients(source: Source, modality: str, prefix: str) -> list[tuple[str, Path]]:
    """Identifiers and folders of the patients of both parts."""
    parts = {
        part: sorted(
            patient
            for found in source.folders(part)
            if (found / modality).is_dir()
            for patient in (found / modality).iterdir()
            if patient.is_dir() and not patient.name.startswith(".")
        )
        for part in ("Train_Sets", "Test_Sets")
    }
    known = {_identifier(folder) for folder in parts["Train_Sets"]}
    result = [(f"{prefix}_{_identifier(folder)}", folder) for folder in parts["Train_Sets"]]
    for folder in parts["Test_Sets"]:
        # Equal numbers in the two parts are different people.
        test = "test_" if _identifier(folder) in known else ""
        result.append((f"{prefix}_{test}{_identifier(folder)}", folder))
    return result


def _identifier(folder: Path) -> str:
    return f"{int(folder.name):02d}" if folder.name.isdecimal() else folder.name
