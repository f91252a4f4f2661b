"""The figures of the demo: segmentations over test scans, a registration, and training curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nnunetv2.utilities.file_path_utilities import get_output_folder

from mass_nnunet.api.loading import load_model
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.data.names import label_name
from mass_nnunet.data.paths import FINAL_CHECKPOINT
from mass_nnunet.data.raw import TEST, RawDataset
from mass_nnunet.reporting.explain import explain
from mass_nnunet.reporting.figures import OverlayRow, plot_branches, plot_curves, plot_overlays, plot_registration
from mass_nnunet.runtime.checkpoint import read_checkpoint

SHOWN = 2
"""Number of test scans of each modality in the overlays."""


def draw_overlays(jobs: Sequence[Job], path: Path) -> None:
    """Draw the first test scans of each modality, their truth, and each method's predictions."""
    scans = []
    for tested in jobs[0].tested:
        for case in tested.dataset.cases(TEST)[:SHOWN]:
            predictions = {
                job.cell.method: job.predictions(tested, job.inferences[-1]) / label_name(case, tested.dataset.ending)
                for job in jobs
            }
            scans.append(
                OverlayRow(
                    title=f"{tested.modality} · {case}",
                    modality=tested.modality,
                    image=tested.dataset.images(TEST, case)[0],
                    truth=tested.dataset.label_path(TEST, case),
                    predictions=predictions,
                )
            )
    plot_overlays(scans, path)


def draw_model(job: Job, branches: Path, registration: Path) -> None:
    """Draw the predictions of each branch of a model for the first test scan, and the registration of its best atlas.

    If both files exist, nothing is done.
    """
    if branches.is_file() and registration.is_file():
        return
    tested = job.tested[0]
    case = tested.dataset.cases(TEST)[0]
    predictor = load_model(model_folder(job, tested.dataset), job.fold, FINAL_CHECKPOINT, torch.device(job.grid.device))
    truth = tested.dataset.label_path(TEST, case)
    found = explain(predictor, tested.dataset.images(TEST, case), truth)
    plot_branches(found.image, found.truth, found.predictions, branches, found.frame)
    if found.registration is not None:
        plot_registration(found.registration, registration, found.frame)


def draw_curves(jobs: Sequence[Job], path: Path) -> None:
    """Draw loss and Dice of each training by epoch."""
    runs = {}
    for job in jobs:
        modality = {tested.dataset.name: tested.modality for tested in job.tested}
        for datasets in job.trainings:
            title = f"{job.cell.method}, {' and '.join(modality[dataset.name] for dataset in datasets)}"
            runs[title] = _log(fold_folder(job, datasets[0]) / FINAL_CHECKPOINT)
    plot_curves(runs, path)


def model_folder(job: Job, dataset: RawDataset) -> Path:
    """Folder of a method's model for a dataset, in nnUNet_results, which must be that of the grid."""
    return Path(get_output_folder(dataset.name, job.cell.method, job.grid.plans, job.grid.configuration))


def fold_folder(job: Job, dataset: RawDataset) -> Path:
    """Folder of the trained fold in :func:`model_folder`."""
    return model_folder(job, dataset) / f"fold_{job.fold}"


def _log(checkpoint: Path) -> dict[str, Any]:
    return read_checkpoint(checkpoint)["logging"]
