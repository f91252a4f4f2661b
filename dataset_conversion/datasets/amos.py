"""AMOS22 (Ji et al. 2022): 500 abdominal CTs and 100 MRIs of different patients, with 15 organs.

The authors' parts are kept: their validation scans become the test part.
"""

import argparse
import re

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.options import add_ct_and_mri_ids
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase, numbered, paired
from mass_nnunet.dataset_conversion.source import Source, Target
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS

NAME = "amos"
TITLE = "AMOS22: abdominal CT and MRI"
LICENCE = "see the terms of use of AMOS22 at Grand Challenge and at zenodo"
REFERENCE = (
    "Ji et al., AMOS: a large-scale abdominal multi-organ benchmark for versatile medical image segmentation, "
    "NeurIPS 2022, Datasets and Benchmarks"
)
_ORGANS = {1: "spleen", 2: "right_kidney", 3: "left_kidney", 6: "liver"}
_TABLE = {value: LABELS[_ORGANS.get(value, "background")] for value in range(16)}
_FIRST_MRI = 500
_PARTS = {"Tr": Part.TRAINING, "Va": Part.TEST, "Ts": None}
_FILE = re.compile(r"amos_(\d+)(?i:\.nii(\.gz)?)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert amos``."""
    add_ct_and_mri_ids(parser, "803 804")


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The CT and the MRI dataset that ``mass_nnunet convert amos`` writes.

    Raises:
        UserError: a modality has no scan.
    """
    cases = find_cases(source)
    ct, mri = args.dataset_ids
    result = []
    for dataset_id, channel in ((ct, "CT"), (mri, "MRI")):
        chosen = [case for case in cases if _channel(case) == channel]
        if not chosen:
            limit = f"below {_FIRST_MRI}" if channel == "CT" else f"from {_FIRST_MRI}"
            raise UserError(f"{source.path} holds no {channel} of AMOS (numbers {limit}): download the whole of amos22")
        result.append(Target(dataset_id, f"AMOS{channel}", channel, LABELS, chosen, LICENCE, REFERENCE))
    return result


def find_cases(source: Source) -> list[NiftiCase]:
    """All scans of ``imagesTr``, ``imagesVa`` and ``imagesTs``, at any depth.

    Raises:
        UserError: there are no scans, or a label map has no image.
    """
    cases = []
    for ending, part in _PARTS.items():
        for folder in source.folders(f"images{ending}"):
            labels = numbered(folder.with_name(f"labels{ending}"), _FILE)
            images = numbered(folder, _FILE)
            cases += [
                NiftiCase(
                    name=f"amos_{number}",
                    patient=f"amos_{number}",
                    image=image,
                    label=labels.get(number),
                    table=_TABLE,
                    part=part if number in labels else None,
                )
                for number, image in paired(images, labels)
            ]
    if not cases:
        raise UserError(f"{source.path} holds no AMOS scan: expected imagesTr/amos_0001.nii.gz in it, at any depth")
    return cases


def _channel(case: NiftiCase) -> str:
    return "CT" if int(case.name.removeprefix("amos_")) < _FIRST_MRI else "MRI"
