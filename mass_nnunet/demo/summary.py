"""What the demo shows: ``report.html``, from the files that its steps left."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mass_nnunet.data.files import read_json
from mass_nnunet.reporting import html as report
from mass_nnunet.reporting.figures import Scan, plot_curves, plot_overlays
from mass_nnunet.runtime.env import export_lines

from .settings import Settings
from .steps import MASS, METHODS, MODALITIES, SUPERVISED, Folders, Modality, Step

_SHOWN = 2
"""Test scans of each modality in the overlays."""


def write_report(folders: Folders, settings: Settings, steps: Sequence[Step], seconds: Mapping[str, float]) -> None:
    """Draw the pictures and write the page."""
    scores = _scores(folders)
    pictures = folders.root / "pictures"
    plot_overlays([scan for m in MODALITIES for scan in _scans(folders, m)], pictures / "overlays.png")
    plot_curves(_logs(folders), pictures / "curves.png")
    sections = [
        _results(scores),
        _overlays(pictures / "overlays.png"),
        _training(folders, pictures / "curves.png"),
        _data(folders, settings),
        _run(folders, steps, seconds),
    ]
    lead = "One CT model and one MRI model from few outlined scans of different patients, on a drawn phantom."
    report.write_page(folders.report, report.page("Segmentation of CT and MRI, trained together", lead, sections))


def _scores(folders: Folders) -> pd.DataFrame:
    parts = [
        pd.read_csv(folders.scores(modality, method)).assign(modality=modality.name, method=method)
        for modality in MODALITIES
        for method in METHODS
    ]
    return pd.concat(parts, ignore_index=True)


def _scans(folders: Folders, modality: Modality) -> list[Scan]:
    files = sorted(folders.raw(modality, "labelsTs").glob("*.nii.gz"))[:_SHOWN]
    return [
        Scan(
            title=f"{modality.name} · {file.name.removesuffix('.nii.gz')}",
            modality=modality.name,
            image=folders.raw(modality, "imagesTs") / file.name.replace(".nii.gz", "_0000.nii.gz"),
            truth=file,
            predictions={method: folders.predictions(modality, method) / file.name for method in METHODS},
        )
        for file in files
    ]


def _logs(folders: Folders) -> dict[str, dict]:
    import torch

    def log(modality: Modality, method: str) -> dict:
        file = folders.fold(modality, method) / "checkpoint_final.pth"
        return torch.load(file, map_location="cpu", weights_only=False)["logging"]

    logs = {f"{SUPERVISED}, {modality.name}": log(modality, SUPERVISED) for modality in MODALITIES}
    return logs | {f"{MASS}, {' and '.join(m.name for m in MODALITIES)}": log(MODALITIES[0], MASS)}


def _results(scores: pd.DataFrame) -> str:
    sentences = []
    for modality, rows in scores.groupby("modality", sort=False):
        means = rows.groupby("method", sort=False)["dice"].mean()
        values = ", ".join(f"{method} {value:.3f}" for method, value in means.items())
        sentences.append(f"{modality} (n = {rows['case'].nunique()}): {values}.")
    return report.section(
        "Results on the test scans",
        report.paragraph("Mean Dice. " + " ".join(sentences)),
        report.paragraph("Dice, mean ± standard deviation over the test scans; the best of each pair in bold."),
        report.score_table(scores, report.DICE),
        report.paragraph("95th percentile of the Hausdorff distance in mm; an organ not found at all has none."),
        report.score_table(scores, report.HD95),
        report.paragraph(
            "One short training of each method with one seed, on drawn bodies: this shows that the whole path works, "
            "and is no measure of how the methods compare on patients. In so short a training most of the difference "
            "is that of the optimizers, nnU-Net's SGD and AdamW (docs/method.md).",
            "note",
        ),
    )


def _overlays(overlays: Path) -> str:
    caption = (
        f"The first {_SHOWN} test scans of each modality by name, not chosen by result. Filled: truth and predictions; "
        "white line: the truth. The patient's right is on the left of the picture."
    )
    return report.section("Scans, truth and predictions", report.picture(overlays, caption))


def _training(folders: Folders, curves: Path) -> str:
    fold = folders.fold(MODALITIES[0], MASS)
    parts = [report.picture(curves, "Loss, and Dice on patches of the validation scans, by epoch.")]
    captions = {
        "mass_registration.png": "An atlas, and how the model deforms it to a scan; its labels propagated with it.",
        "mass_terms.png": f"Each term of the objective of {MASS} before its weight, by epoch.",
    }
    parts += [report.picture(fold / name, text) for name, text in captions.items() if (fold / name).is_file()]
    return report.section("Training", *parts)


def _data(folders: Folders, settings: Settings) -> str:
    rows = []
    for modality in MODALITIES:
        splits = folders.preprocessed(modality) / "splits_final.json"
        fold = read_json(splits, "start the demo again")[0]
        tested = len(list(folders.raw(modality, "labelsTs").glob("*.nii.gz")))
        rows.append([modality.name, *(len(fold[part]) for part in ("train", "unlabelled", "val")), tested])
    return report.section(
        "Data",
        report.paragraph(
            f"Abdomens drawn with seed {settings.seed}, {' × '.join(map(str, settings.size))} voxels (z, y, x), every "
            f"scan of another patient. {SUPERVISED} is nnU-Net on the labelled scans of one modality; {MASS} has the "
            "same labelled scans of both, and besides the unlabelled ones without their labels."
        ),
        report.table(["modality", "labelled", "unlabelled", "validation", "test"], rows),
    )


def _run(folders: Folders, steps: Sequence[Step], seconds: Mapping[str, float]) -> str:
    timing = [[step.name.replace("_", " "), f"{seconds[step.name]:.0f}"] for step in steps]
    return report.section(
        "What was run",
        report.code([*export_lines(folders.environment()), "", *(shlex.join(step.command) for step in steps)]),
        report.table(["step", "seconds"], [*timing, ["all", f"{sum(seconds.values()):.0f}"]]),
        report.paragraph("A step that was interrupted counts from when it was started last.", "note"),
        report.table(["environment", ""], report.environment()),
    )
