"""Commands that stand for those of the demo: they note how they were called, and leave what the real ones would."""

import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mass_nnunet.api.best_atlas import Registration
from mass_nnunet.benchmark.run.job import Job
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.scoring import SCORED, SCORES
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.cli import main
from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import TEST
from mass_nnunet.demo.pictures import fold_folder
from mass_nnunet.demo.settings import TINY
from mass_nnunet.demo.steps import MODALITIES, Folders, demo_grid
from mass_nnunet.evaluation.scores import score_columns
from mass_nnunet.reporting.explain import Explained
from mass_nnunet.reporting.figures import Frame
from mass_nnunet.runtime.env import temporary_environment
from planned_grid import write_plans
from tiny_raw import write_raw_dataset

PYTHON = sys.executable
DICE = {"DualStreamTrainer": 0.4, "MASSTrainer": 0.912}
_SCRIPT = """#!{python} -S
import os, shutil, sys, time
from pathlib import Path
here, steer = Path({templates!r}), Path({steer!r})
args = sys.argv[1:]
line = " ".join([Path(sys.argv[0]).name, *args])
with open(steer / "calls", "a") as calls:
    calls.write(line + "\\n")
if (steer / "sleep").exists() and (steer / "sleep").read_text() in line:
    try:
        (steer / "sleeping").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        (steer / "interrupted").touch()
        raise
if (steer / "fail").exists() and (steer / "fail").read_text() in line:
    sys.exit("first line\\nout of luck")
if args[0] == "convert":
    raw = next((here / "nnUNet_raw").glob("Dataset" + args[args.index("-d") + 1] + "*"))
    shutil.copytree(raw, Path(os.environ["nnUNet_raw"], raw.name))
elif args[0] == "split":
    shutil.copytree(here / "nnUNet_preprocessed", os.environ["nnUNet_preprocessed"])
elif args[:2] == ["benchmark", "run"]:
    shutil.copytree(here / "benchmark", Path(args[2]).parent / "benchmark", dirs_exist_ok=True)
"""


def write_templates(root: Path) -> None:
    """Write outputs as of the tiny demo's commands, with scans of ellipsoids and models that hold only their log."""
    folders = Folders(root)
    grid = demo_grid(folders, TINY)
    group = {"modalities": [{"name": m.name, "dataset": m.dataset} for m in MODALITIES], "hyperparameters": {}}
    with temporary_environment(folders.environment(grid)):
        for seed, m in enumerate(MODALITIES):
            cases = [f"{m.source}_{number}" for number in range(4)]
            write_raw_dataset(
                root / "nnUNet_raw", m.dataset, m.name, cases, [f"{m.source}_un"], [f"{m.source}_test"], seed=seed
            )
            write_plans(root, m.dataset, m.name, mass=group | {"modality": m.name})
        # Where nnU-Net's preprocessed data lie is named otherwise in the other tests.
        shutil.move(root / "preprocessed", root / "nnUNet_preprocessed")
        assert main(["split", "-d", "801", "802", "--label-rates", str(TINY.label_rate), "--seeds", "1"]) == 0
        for job in make_jobs(grid):
            _write_cell(job)


def _write_cell(job: Job) -> None:
    log = {key: [1.0, 0.5] for key in ("train_losses", "val_losses", "mean_fg_dice")}
    rows = []
    for tested in job.tested:
        inference = job.inferences[0]
        shutil.copytree(tested.truth, job.predictions(tested, inference))
        fold = fold_folder(job, tested.dataset)
        fold.mkdir(parents=True)
        torch.save({"logging": log}, fold / "checkpoint_final.pth")
        if job.together:
            (fold / "mass_terms.png").write_bytes(b"a picture")
        for case in tested.dataset.cases(TEST):
            cell, dataset = job.cell, tested.dataset.name
            scored = [cell.method, tested.modality, dataset, cell.label_rate, cell.seed, inference, case, case]
            rows += [[*scored, organ, DICE[cell.method]] for organ in ("spleen", "right_kidney")]
    measure = score_columns()[2]
    pd.DataFrame(rows, columns=[*SCORED, measure]).to_csv(job.folder / SCORES, index=False)
    write_record(job.folder, {"state": "done", "inferences": list(job.inferences)})
    (job.folder / "train_801.log").write_text("time: Epoch 1 \ntime: Pseudo dice [np.float32(0.25), 0.75]\n")


def install(templates: Path, folder: Path) -> Path:
    """Write the commands into ``folder/bin``; returns the Python beside them, for ``sys.executable``.

    Files in ``folder`` steer them: a line that contains the text of ``sleep`` or ``fail`` does so.
    """
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "mass_nnunet"
    script.write_text(_SCRIPT.format(python=PYTHON, templates=str(templates), steer=str(folder)))
    script.chmod(stat.S_IRWXU)
    return programs / "python"


def calls(folder: Path) -> list[str]:
    """The command lines since the last look."""
    file = folder / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def explained() -> Explained:
    """A model's predictions and registration for a scan of 4 x 16 x 16 voxels with one organ."""
    labels = np.zeros((4, 16, 16), np.uint8)
    labels[1:3, 4:9, 4:9] = 1
    image, propagated = labels.astype(np.float32), np.stack([labels == 0, labels == 1]).astype(np.float32)
    field = np.zeros((3, *labels.shape), np.float32)
    registration = Registration(image, image, image, field, labels, propagated, labels)
    frame = Frame((3.0, 1.0, 1.0), Pose.UPRIGHT, {"background": 0, "liver": 1})
    return Explained(image, labels, {"segmentation": labels, "fused": labels}, registration, frame)
