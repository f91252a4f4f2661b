"""MM-WHS 2017 (Zhuang and Shen 2016): 60 cardiac CTs and 60 MRIs of other patients, 20 of each with 7 labels."""

import argparse
import re
from pathlib import Path

from mass_nnunet.dataset_conversion.options import add_ct_and_mri_ids
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase, keyed, paired
from mass_nnunet.dataset_conversion.source import Source, Target
from mass_nnunet.errors import UserError

NAME = "mmwhs"
TITLE = "MM-WHS: cardiac CT and MRI"
LICENCE = "see the terms of use of MM-WHS 2017 at its site, where users register"
REFERENCE = (
    "Zhuang and Shen, Multi-scale patch and multi-modality atlases for whole heart segmentation of MRI, Medical Image "
    "Analysis 2016; Zhuang et al., Evaluation of algorithms for multi-modality whole heart segmentation: an "
    "open-access grand challenge, Medical Image Analysis 2019"
)
LABELS = {
    "background": 0,
    "left_ventricle": 1,
    "right_ventricle": 2,
    "left_atrium": 3,
    "right_atrium": 4,
    "myocardium": 5,
    "ascending_aorta": 6,
    "pulmonary_artery": 7,
}
_VALUES = {
    0: "background",
    500: "left_ventricle",
    600: "right_ventricle",
    420: "left_atrium",
    421: "left_atrium",  # a stray value of a few voxels
    550: "right_atrium",
    205: "myocardium",
    820: "ascending_aorta",
    850: "pulmonary_artery",
}
_TABLE = {value: LABELS[name] for value, name in _VALUES.items()}
_FILE = re.compile(r"(ct|mr)_(?:train|test)_(\d+)_(image|label)(?i:\.nii(\.gz)?)")
_CHANNELS = {"ct": "CT", "mr": "MRI"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert mmwhs``."""
    add_ct_and_mri_ids(parser, "805 806")


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The CT and the MRI dataset that ``mass_nnunet convert mmwhs`` writes.

    Raises:
        UserError: a modality has no scan.
    """
    cases = find_cases(source)
    result = []
    for dataset_id, (prefix, channel) in zip(args.dataset_ids, _CHANNELS.items(), strict=True):
        chosen = [case for case in cases if case.name.startswith(f"mmwhs_{prefix}")]
        if not chosen:
            raise UserError(
                f"{source.path} holds no {channel} of MM-WHS: expected {prefix}_train_1001_image.nii.gz in it"
            )
        result.append(Target(dataset_id, f"MMWHS{channel}", channel, LABELS, chosen, LICENCE, REFERENCE))
    return result


def find_cases(source: Source) -> list[NiftiCase]:
    """All scans with a file name of MM-WHS, at any depth.

    Raises:
        UserError: there are no scans, or a label map has no image.
    """
    found: dict[str, list[tuple[str, Path]]] = {"image": [], "label": []}
    for folder, _, files in source.walk():
        for name in files:
            if match := _FILE.fullmatch(name):
                # The key has the folder, so that one scan in two folders is reported as a duplicate later.
                found[match[3]].append((str(folder / f"mmwhs_{match[1]}_{match[2]}"), folder / name))
    if not found["image"]:
        raise UserError(f"{source.path} holds no MM-WHS scan: expected ct_train_1001_image.nii.gz in it, at any depth")
    labels, images = (keyed(found[kind], kind) for kind in ("label", "image"))
    return [
        NiftiCase(name=Path(key).name, patient=Path(key).name, image=image, label=labels.get(key), table=_TABLE)
        for key, image in paired(images, labels)
    ]
