"""A planned group of a tiny CT and a tiny MRI dataset, and trainers on it, for tests that train."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from nnunetv2.run import run_training
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from mass_nnunet.cli import main
from mass_nnunet.runtime.env import HOOK_FOLDER
from quick_planning import plan_quickly
from quick_training import find_once, train_quickly
from tiny_raw import write_raw_dataset

CT, MRI = "Dataset801_CTS", "Dataset802_MRS"
CONFIGURATION = "3d_fullres"
MODEL = f"MASSTrainer__MASSPlans__{CONFIGURATION}"


def variables(root: Path) -> dict[str, str]:
    """nnU-Net's environment for a root folder."""
    folders = {f"nnUNet_{kind}": str(root / kind) for kind in ("raw", "preprocessed", "results")}
    return folders | {"nnUNet_extTrainer": str(HOOK_FOLDER)}


def use_folders(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Let nnU-Net's variables name the folders below ``root``."""
    for variable, value in variables(root).items():
        patch.setenv(variable, value)


def copied(group: Path, root: Path, patch: pytest.MonkeyPatch) -> Path:
    """Copy a group's folders to ``root``, which tests may change, and let nnU-Net's variables name them.

    As long as ``patch`` lasts, planning and training are quick.
    """
    shutil.copytree(group, root)
    use_folders(patch, root)
    plan_quickly(patch)
    train_quickly(patch)
    return root


def make_group(root: Path, epochs: int = 2, iterations: int = 2, *options: str) -> None:
    """Raw datasets, two folds (one labelled case of four; all) and plans under ``root``."""
    cases = [f"{{}}{i}" for i in range(5)]
    for name, letter, channel, seed in ((CT, "ct", "CT", 0), (MRI, "mr", "MRI", 1)):
        named = [case.format(letter) for case in cases]
        write_raw_dataset(root / "raw", name, channel, named, [letter + "un"], [letter + "test"], seed=seed)
    schedule = ["--epochs", str(epochs), "--iterations", str(iterations), *options]
    plan_group(root, ["801", "802"], ["--label-rates", "0.25", "1.0", "--seeds", "1"], schedule)


def plan_group(root: Path, ids: Sequence[str], split: Sequence[str] = (), plan: Sequence[str] = ()) -> None:
    """Split and plan raw datasets under ``root``, for a tiny network."""
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        plan_quickly(patch)
        assert main(["split", "-d", *ids, *split]) == 0
        network = ["--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4", "-np", "1"]
        assert main(["plan", "-d", *ids, *network, *plan]) == 0


def trainer(name: str, dataset: str = "801", fold: int = 0, continue_training: bool = False) -> nnUNetTrainer:
    """A trainer as ``nnUNetv2_train`` makes it, on the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        find_once(patch)
        return run_training.get_trainer_from_args(
            dataset, CONFIGURATION, fold, name, "MASSPlans", continue_training, torch.device("cpu")
        )


def entry(root: Path, name: str, fold: int = 0) -> dict:
    """A fold in splits_final.json."""
    return json.loads((root / "preprocessed" / name / "splits_final.json").read_text())[fold]


def annotate_all(root: Path) -> None:
    """Take the unlabelled scans out of fold 1 and of the raw datasets; the others are annotated."""
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "splits_final.json"
        folds = json.loads(file.read_text())
        folds[1]["unlabelled"] = []
        file.write_text(json.dumps(folds))
        for scan in (root / "raw" / name / "imagesUn").iterdir():
            scan.unlink()


def annotate_another(root: Path) -> None:
    """Annotate a second scan of each modality in fold 0, which has one."""
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "splits_final.json"
        folds = json.loads(file.read_text())
        spare = next(case for case in folds[1]["train"] if case in folds[0]["unlabelled"])
        folds[0]["unlabelled"].remove(spare)
        folds[0]["train"].append(spare)
        file.write_text(json.dumps(folds))


def with_batch(root: Path, size: int) -> None:
    """Change the batch in the plans of both datasets."""
    for name in (CT, MRI):
        file = root / "preprocessed" / name / "MASSPlans.json"
        plans = json.loads(file.read_text())
        plans["configurations"][CONFIGURATION]["batch_size"] = size
        file.write_text(json.dumps(plans))


def command(root: Path, *words: str, check: bool = True, **changes: str) -> subprocess.CompletedProcess:
    """Run one of nnU-Net's commands as a user would."""
    environment = os.environ | variables(root) | {"OMP_NUM_THREADS": "1"} | changes
    executable = shutil.which(words[0], path=str(Path(sys.executable).parent))
    assert executable is not None, f"{words[0]} is not installed"
    # The locale of a test process may be C by now: some library sets it. nnU-Net's own output is UTF-8.
    result = subprocess.run(
        [executable, *words[1:]], env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert not check or result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result
