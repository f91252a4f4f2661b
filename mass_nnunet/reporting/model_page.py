"""The page with the predictions of a trained model for some cases, by branch."""

import argparse
import os
import tempfile
from pathlib import Path

from markupsafe import Markup
from nnunetv2.utilities.file_path_utilities import get_output_folder
from tqdm import tqdm

from mass_nnunet.api.loading import load_model
from mass_nnunet.data.paths import base_folder
from mass_nnunet.data.raw import TEST, TRAINING, UNLABELLED, RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.env import HOOK_FOLDER

from . import html as report
from .explain import Explained, explain
from .figures import plot_branches, plot_registration


def write_model_page(args: argparse.Namespace) -> None:
    """Write the page that the options of ``mass_nnunet visualize`` ask for."""
    os.environ.setdefault("nnUNet_extTrainer", str(HOOK_FOLDER))
    base_folder("results")
    report.check_page(args.output)
    dataset = RawDataset.load(args.d)
    cases = {case: _files(dataset, case) for case in dict.fromkeys(args.cases)}
    folder = Path(get_output_folder(dataset.name, args.trainer, args.plans, args.configuration))
    predictor = load_model(folder, args.fold, args.checkpoint, args.device)
    with tempfile.TemporaryDirectory() as pictures:
        sections = [
            _section(case, explain(predictor, images, truth), Path(pictures))
            for case, (images, truth) in tqdm(cases.items(), desc="visualizing", unit="case")
        ]
    lead = f"{folder.name}, fold {args.fold}, on {dataset.name}. The patient's right is on the left of axial slices."
    report.write_page(args.output, report.page("What the model sees", lead, sections))
    print(f"wrote {args.output}")


def _files(dataset: RawDataset, case: str) -> tuple[list[Path], Path | None]:
    """Images of a case, and its label map if it has one.

    Raises:
        UserError: the dataset has no such case.
    """
    for part in (TEST, TRAINING, UNLABELLED):
        if case in dataset.cases(part):
            return dataset.images(part, case), dataset.label(part, case)
    raise UserError(f"{dataset.folder} has no case {case}: name one of imagesTs, imagesTr or imagesUn")


def _section(case: str, found: Explained, pictures: Path) -> Markup:
    """The section of the page about one case."""
    branches = pictures / f"{case}_branches.png"
    plot_branches(found.image, found.truth, found.predictions, branches, found.frame)
    caption = "Filled: the truth and what each branch predicts"
    caption += ", with the contour of the truth in white." if found.truth is not None else "; no truth is known."
    parts = [report.picture(branches, f"{caption} Red: voxels on which the branches disagree.")]
    if found.registration is not None:
        registration = pictures / f"{case}_registration.png"
        plot_registration(found.registration, registration, found.frame)
        parts.append(
            report.picture(
                registration,
                "The annotated atlas that matches best, before and after its deformation to the scan. Jacobian: blue "
                "where the atlas grows (below 1), red where it shrinks (above 1), black where space is folded.",
            )
        )
    return report.section(case, *parts)
