"""The commands of a whole project on the tiny group, and the points at which faults meet them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
from nnunetv2.run.run_training import run_training_entry

from faults import Point
from forked import nnunet
from mass_nnunet.cli import main
from mass_nnunet.runtime.checkpoint import read_checkpoint
from native_trees import BTCV_VALUES, organs, scan, write
from tiny_group import CT, MODEL, MRI
from tiny_raw import write_raw_dataset

EPOCHS = 3
MODELS = ("-tr", "MASSTrainer", "-p", "MASSPlans", "-device", "cpu")
Action = Callable[[Path], Callable[[], object]]


def ours(*words: str) -> Action:
    """A command of ``mass_nnunet``; ``{}`` in a word is the root folder."""
    return lambda root: lambda: main([word.replace("{}", str(root)) for word in words])


def training(*options: str) -> Action:
    """``nnUNetv2_train`` of the group."""
    return lambda _: nnunet(run_training_entry, "801", "3d_fullres", "0", *MODELS, *options)


def prediction(root: Path) -> Callable[[], object]:
    """``nnUNetv2_predict`` of two scans, in one process."""
    words = ("-d", "801", "-i", f"{root}/scans", "-o", f"{root}/predicted", "-c", "3d_fullres", "-f", "0", *MODELS)
    return nnunet(predict_entry_point, *words, "-npp", "0", "-nps", "0")


@dataclass(frozen=True)
class Command:
    """A command and its points.

    Attributes:
        name: as in the table.
        action: the command.
        points: where faults meet it.
        again: the command by which a user goes on; None for the same.
        after: name of the command whose end is the beginning of this one.
        check: finds what is wrong with the end, besides files that differ; lines for people.
        drawn: regular expression for files that depend on random numbers, which a training that goes on has anew.
    """

    name: str
    action: Action
    points: tuple[Point, ...]
    after: str
    again: Action | None = None
    check: Callable[[Path], list[str]] = field(default=lambda _: [])
    drawn: str = "^$"


def whole_training(root: Path) -> list[str]:
    """What is wrong with a finished training: each epoch is in its log once, and each validation scan is scored."""
    wrong = []
    for name in (CT, MRI):
        fold = root / "results" / name / MODEL / "fold_0"
        checkpoint = read_checkpoint(fold / "checkpoint_final.pth")
        losses = checkpoint["logging"]["train_losses"]
        if (len(losses), checkpoint["current_epoch"]) != (EPOCHS, EPOCHS):
            wrong.append(f"{name}: {len(losses)} losses in epoch {checkpoint['current_epoch']}")
        scored = json.loads((fold / "validation" / "summary.json").read_text())["metric_per_case"]
        truth = json.loads((root / "preprocessed" / name / "splits_final.json").read_text())[0]["val"]
        if len(scored) != len(truth):
            wrong.append(f"{name}: {len(scored)} of {len(truth)} scans are scored")
    return wrong


def whole_benchmark(root: Path) -> list[str]:
    """What is wrong with a finished benchmark: each cell is done, and has a row for each organ of each test scan."""
    wrong = []
    for cell in sorted((root / "bench" / "cells").iterdir()):
        record = json.loads((cell / "cell.json").read_text())
        rows = pd.read_csv(cell / "scores.csv")
        if record["state"] != "done" or len(rows) != len(rows.drop_duplicates(["case", "organ"])) or len(rows) != 8:
            wrong.append(f"{cell.name}: {record['state']}, {len(rows)} rows")
    return wrong


_FOLD = rf"results/{CT}/.*/fold_0"
_BENCH = r"bench/cells/MASSTrainer_0.25_0"
_GRID = {
    "datasets": [801, 802],
    "methods": ["MASSTrainer"],
    "label_rates": [0.25],
    "seeds": [0, 1],
    "device": "cpu",
    "output": "bench",
}
_BENCHMARK = (
    Point("lock of a cell", "write", rf"{_BENCH}/lock-0001$"),
    Point("record of a cell", "rename", rf"{_BENCH}/cell.json$"),
    Point("epoch 1", "reach", "^epoch 1"),
    Point("checkpoint is renamed", "rename", r"bench/models/.*checkpoint_latest.pth$"),
    Point("cost of the training", "rename", rf"{_BENCH}/train_801_802.json$"),
    Point("first prediction", "rename", rf"{_BENCH}/predict_801_segmentation.csv$"),
    Point("scores", "rename", rf"{_BENCH}/scores.csv$"),
    Point("cell is done", "rename", rf"{_BENCH}/cell.json$", 2),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "convert",
        ours(
            *("convert", "nifti", "{}/src/images", "{}/src/labels", "-d", "807", "--modality", "CT", "-np", "1"),
            *("--labels", "spleen=1", "right_kidney=2", "left_kidney=3", "liver=6"),
        ),
        (
            Point("staging folder is locked", "write", r"\.tmp-Dataset807.*/lock-0001$"),
            Point("first label map", "rename", r"cases/a\.nii\.gz$"),
            Point("second scan is written", "write", r"cases/\.tmp-.*b_0000\.nii\.gz$"),
            Point("record of the second case", "rename", r"cases/b\.npz$"),
            Point("scans are placed", "rename", r"dataset/images.*gz$", 2),
            Point("dataset.json", "rename", r"dataset/dataset\.json$"),
            Point("overview", "write", r"dataset/\.tmp-.*overview\.png$"),
            Point("folder gets its name", "rename", r"raw/Dataset807\w+$"),
            Point("staging is removed", "rmtree", r"\.tmp-Dataset807"),
        ),
        after="",
    ),
    Command(
        "split",
        ours("split", "-d", "801", "802", "--label-rates", "0.25", "1.0", "--seeds", "2"),
        (
            Point("first splits", "write", rf"{CT}/\.tmp-.*splits_final\.json$"),
            Point("second splits", "rename", rf"{MRI}/splits_final\.json$"),
        ),
        after="",
    ),
    Command(
        "plan",
        ours(
            *("plan", "-d", "801", "802", "--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4"),
            *("-np", "1", "--epochs", str(EPOCHS), "--iterations", "2"),
        ),
        (
            Point("folders are locked", "write", rf"{MRI}/lock-0001$"),
            Point("fingerprint", "rename", rf"{CT}/MASSPlans_fingerprint\.json$"),
            Point("first plans", "rename", rf"{CT}/MASSPlans\.json$"),
            Point("second plans", "rename", rf"{MRI}/MASSPlans\.json$"),
            Point(
                "first labelled scan", "write", rf"{CT}/nnUNetPlans_3d_fullres/.*pkl$|{CT}/MASSPlans_3d_fullres/.*pkl$"
            ),
            Point("third labelled scan", "write", rf"{CT}/MASSPlans_3d_fullres/.*pkl$", 3),
            Point("nnU-Net's fingerprint", "write", rf"{CT}/dataset_fingerprint\.json$"),
            Point("unlabelled scan", "mkdir", rf"{CT}/MASSPlans_3d_fullres_unlabelled/\.tmp"),
            Point("unlabelled scan is named", "rename", rf"{CT}/MASSPlans_3d_fullres_unlabelled/ctun\.pkl$"),
            Point(
                "record of an unlabelled scan", "rename", rf"{CT}/MASSPlans_3d_fullres_unlabelled/sources/ctun\.json$"
            ),
            Point("second dataset", "write", rf"{MRI}/MASSPlans_3d_fullres/.*pkl$", 2),
        ),
        after="split",
    ),
    Command(
        "train",
        training(),
        (
            Point("results folder", "mkdir", rf"results/{CT}/.*fold_0$"),
            Point("log", "write", rf"{_FOLD}/training_log.*txt$"),
            Point("place", "reach", "^locate_organs"),
            Point("epoch 0", "reach", "^epoch 0"),
            Point("checkpoint of epoch 0 is written", "reach", "^torch.save", 2),
            Point("checkpoint of epoch 0 is renamed", "rename", rf"{_FOLD}/checkpoint_latest\.pth$"),
            Point("checkpoint of the partner", "rename", rf"results/{MRI}/.*/checkpoint_latest\.pth$"),
            Point("epoch 1", "reach", "^epoch 1"),
            Point("best checkpoint", "rename", rf"{_FOLD}/checkpoint_best\.pth$"),
            Point("propagation", "reach", "^propagate_labels"),
            Point("propagated labels", "reach", "^write_labels"),
            Point("epoch 2", "reach", "^epoch 2"),
            Point("templates", "reach", "^put_templates"),
            Point("final checkpoint", "rename", rf"{_FOLD}/checkpoint_final\.pth$"),
            Point("partner's final checkpoint", "rename", rf"results/{MRI}/.*/checkpoint_final\.pth$"),
            Point("latest checkpoint is removed", "remove", rf"{_FOLD}/checkpoint_latest\.pth$"),
            Point("validation", "mkdir", rf"{_FOLD}/validation$"),
            Point("scores of the validation", "write", rf"{_FOLD}/validation/summary\.json$"),
            Point("partner's validation", "write", rf"results/{MRI}/.*/validation/summary\.json$"),
        ),
        after="plan",
        again=training("--c"),
        check=whole_training,
        drawn=r"/validation/",
    ),
    Command(
        "predict",
        prediction,
        (
            Point("output folder", "mkdir", r"^predicted$"),
            Point("record of the arguments", "write", r"predicted/predict_from_raw_data_args\.json$"),
            Point("first scan", "reach", "^predict_logits 1"),
            Point("second scan", "reach", "^predict_logits 2"),
        ),
        after="train",
    ),
    Command(
        "evaluate",
        ours("evaluate", "{}/predicted", "{}/truth", "--csv", "{}/scores/scores.csv", "-np", "1"),
        (
            Point("folder of the table", "mkdir", r"^scores$"),
            Point("table is written", "write", r"scores/\.tmp-.*csv$"),
            Point("table is renamed", "rename", r"scores/scores\.csv$"),
        ),
        after="predict",
    ),
    Command(
        "export",
        ours("export", "-d", "801", "-o", "{}/shared/model.zip", "--force"),
        (
            Point("zip is written", "write", r"shared/\.tmp-.*zip$"),
            Point("zip is renamed", "rename", r"shared/model\.zip$"),
        ),
        after="train",
    ),
    Command(
        "visualize",
        ours("visualize", "cttest", "-d", "801", "-o", "{}/shown/page.html", "-device", "cpu"),
        (
            Point("page is written", "write", r"shown/\.tmp-.*html$"),
            Point("page is renamed", "rename", r"shown/page\.html$"),
        ),
        after="train",
    ),
    *(
        Command(
            f"benchmark, {workers} worker{'s' * (workers > 1)}",
            ours("benchmark", "run", "{}/grid.yaml", "--jobs", str(workers)),
            _BENCHMARK,
            after="plan",
            check=whole_benchmark,
            drawn=r"bench/cells/",
        )
        for workers in (1, 2)
    ),
    Command(
        "report",
        ours("benchmark", "report", "{}/grid.yaml"),
        (
            Point("first table", "rename", r"report_files/.*csv$"),
            Point("first figure", "write", r"report_files/.*(svg|png|pdf)$"),
            Point("page is written", "write", r"bench/\.tmp-.*report\.html$"),
            Point("page is renamed", "rename", r"bench/report\.html$"),
        ),
        after="benchmark, 1 worker",
    ),
)


def write_sources(root: Path) -> None:
    """Raw datasets 801 and 802, scans to convert and to predict, and a grid."""
    for name, letter, channel, seed in ((CT, "ct", "CT", 0), (MRI, "mr", "MRI", 1)):
        cases = [f"{letter}{number}" for number in range(5)]
        write_raw_dataset(root / "raw", name, channel, cases, [f"{letter}un"], [f"{letter}test"], seed=seed)
    for seed, name in enumerate("abc"):
        write(scan(seed), root / f"src/images/{name}.nii.gz")
        write(organs(BTCV_VALUES), root / f"src/labels/{name}.nii.gz")
    for folder, part, ending in (("scans", "imagesTr", "_0000.nii.gz"), ("truth", "labelsTr", ".nii.gz")):
        (root / folder).mkdir()
        for case in ("ct0", "ct1"):
            shutil.copy(root / "raw" / CT / part / f"{case}{ending}", root / folder)
    shutil.copy(root / "raw" / CT / "dataset.json", root / "truth")
    (root / "grid.yaml").write_text(yaml.safe_dump(_GRID))
    (root / "results").mkdir()
    (root / "preprocessed").mkdir()
