"""BTCV, "Beyond the Cranial Vault" (Synapse syn3193805): 30 abdominal CTs with 13 organs, 20 without labels.

Gibson et al. (zenodo 1169361) annotated 47 of the 50, with the same numbers and values, and 14 for the duodenum.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from mass_nnunet.dataset_conversion.options import add_dataset_id
from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase, keyed, numbered, paired
from mass_nnunet.dataset_conversion.source import Source, Target
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS

NAME = "btcv"
TITLE = "BTCV: abdominal CT"
LICENCE = "see the terms of use of BTCV at Synapse, syn3193805, where users register"
REFERENCE = (
    "Landman et al., MICCAI multi-atlas labeling beyond the cranial vault: workshop and challenge, 2015, "
    "Synapse syn3193805, doi 10.7303/syn3193805"
)
_GIBSON_LICENCE = "of the labels by Gibson et al. see zenodo 1169361"
_GIBSON_REFERENCE = (
    "Gibson et al., Automatic multi-organ segmentation on abdominal CT with dense V-networks, "
    "IEEE Transactions on Medical Imaging 2018, doi 10.5281/zenodo.1169361"
)
_ORGANS = {1: "spleen", 2: "right_kidney", 3: "left_kidney", 6: "liver"}
TABLE = {value: LABELS[_ORGANS.get(value, "background")] for value in range(14)}
_GIBSON_TABLE = {**TABLE, 14: LABELS["background"]}
_IMAGE, _LABEL = (re.compile(rf"{prefix}(\d+)(?i:\.nii(\.gz)?)") for prefix in ("img", "label"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``mass_nnunet convert btcv``."""
    add_dataset_id(parser)
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="folder of Gibson et al.'s label_btcv_multiorgan, for the scans that BTCV has no labels of",
    )


def targets(source: Source, args: argparse.Namespace) -> list[Target]:
    """The CT dataset that ``mass_nnunet convert btcv`` writes."""
    cases, licence, reference = find_cases(source), LICENCE, REFERENCE
    if args.labels is not None:
        cases = with_gibson_labels(cases, args.labels)
        licence, reference = f"{licence}; {_GIBSON_LICENCE}", f"{reference}; {_GIBSON_REFERENCE}"
    return [Target(args.dataset_id, "BTCV", "CT", LABELS, cases, licence, reference)]


def find_cases(source: Source) -> list[NiftiCase]:
    """All CTs of ``Training/img`` and ``Testing/img``, at any depth.

    Raises:
        UserError: there are no scans, or a label map has no image.
    """
    cases = []
    for part in ("Training", "Testing"):
        for folder in source.folders(part):
            labels = numbered(folder / "label", _LABEL)
            images = numbered(folder / "img", _IMAGE)
            cases += [
                NiftiCase(
                    name=f"btcv_{number}",
                    patient=f"btcv_{number}",
                    image=image,
                    label=labels.get(number),
                    table=TABLE,
                )
                for number, image in paired(images, labels)
            ]
    if not cases:
        raise UserError(f"{source.path} holds no BTCV scan: expected Training/img/img0001.nii.gz in it, at any depth")
    return cases


def with_gibson_labels(cases: list[NiftiCase], folder: Path) -> list[NiftiCase]:
    """Add the label maps of Gibson et al. to the cases without labels.

    Raises:
        UserError: ``folder`` is absent, holds no label map, or holds the label map of a scan that is not in ``cases``.
    """
    if not folder.is_dir():
        raise UserError(f"--labels {folder} is not a folder: give the unpacked label_btcv_multiorgan")
    files = (place / name for place, _, names in Source(folder, (folder,)).walk() for name in names)
    found = keyed(((match[1], path) for path in files if (match := _LABEL.fullmatch(path.name))), "label map")
    if not found:
        raise UserError(f"--labels {folder} holds no label0001.nii.gz: give the unpacked label_btcv_multiorgan")
    if strangers := sorted(found.keys() - {case.name.removeprefix("btcv_") for case in cases}):
        raise UserError(f"{found[strangers[0]]} has no img{strangers[0]}.nii.gz in BTCV: download the image as well")
    result = []
    for case in cases:
        label = found.get(case.name.removeprefix("btcv_"))
        if case.label is None and label is not None:
            case = replace(case, label=label, table=_GIBSON_TABLE, may_stop_short=True)
        result.append(case)
    return result
