"""Groups of one modality, or with a modality without labels, and trainings of them by nnU-Net's own trainer."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
from torch import Tensor

from forked_command import QUICK, forked_command
from mass_nnunet.labels import LABELS
from quick_training import train_quickly
from tiny_group import CONFIGURATION, CT, MODEL, MRI, entry, plan_group, trainer, use_folders
from tiny_raw import write_raw_dataset

SHORT = ("--epochs", "2", "--iterations", "2", "--inference", "fused")
MODELS = ("-c", CONFIGURATION, "-f", "0", "-tr", "MASSTrainer", "-p", "MASSPlans")


def cases(letters: str, count: int = 5) -> list[str]:
    """Identifiers of scans."""
    return [f"{letters}{i}" for i in range(count)]


def one_modality(root: Path) -> None:
    """Five CTs, one of four labelled in the fold, and another one without a label."""
    write_raw_dataset(root / "raw", CT, "CT", cases("ct"), ["ctun"], ["cttest"])
    plan_group(root, ["801"], ["--label-rates", "0.25"], SHORT)


def hidden_modality(root: Path) -> None:
    """CT with all labels, and MRI with labels, all of which the split hides from training."""
    write_raw_dataset(root / "raw", CT, "CT", cases("ct"))
    write_raw_dataset(root / "raw", MRI, "MRI", cases("mr"), ["mrun"], ["mrtest"], seed=1)
    plan_group(root, ["801", "802"], ["--label-rates", "1.0", "--unlabelled", "802"], SHORT)


def unlabelled_modality(root: Path) -> None:
    """MRI with some labels, and CT with scans in imagesUn alone, as a user would put them there."""
    write_raw_dataset(root / "raw", CT, "CT", (), cases("ct"))
    write_raw_dataset(root / "raw", MRI, "MRI", cases("mr"), ["mrun"], ["mrtest"], seed=1)
    plan_group(root, ["801", "802"], ["--label-rates", "0.5"], SHORT)


def trained(root: Path, dataset: str, name: str = "MASSTrainer", *, validated: bool = False) -> dict[str, Tensor]:
    """The weights after a short training, with the same random numbers each time; nnU-Net's validation may follow."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        train_quickly(patch)
        one = trainer(name, dataset)
        one.run_training()
        if validated:
            one.perform_actual_validation()
    return {key: value.clone() for key, value in one.network.state_dict().items()}


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two trainings have ended with equal weights."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def garble_hidden_labels(root: Path, name: str) -> int:
    """Overwrite the labels that the fold hides, raw and preprocessed; how many files that were."""
    hidden = entry(root, name)["unlabelled"]
    files = [
        file
        for case in hidden
        for pattern in (f"{case}.nii.gz", f"{case}_seg.b2nd", f"{case}.pkl")
        for folder in (root / "raw" / name / "labelsTr", root / "preprocessed" / name)
        for file in folder.rglob(pattern)
    ]
    for file in files:
        file.write_bytes(gzip.compress(b"garbage") if file.suffix == ".gz" else b"garbage")
    return len(files)


def without_results(root: Path) -> None:
    """Delete what was trained."""
    shutil.rmtree(root / "results")


def predicted(root: Path, dataset: str, scan: Path, folder: Path) -> np.ndarray:
    """Labels (Z, Y, X) of a scan by nnU-Net's own command."""
    (folder / "in").mkdir(parents=True)
    for channel in scan.parent.glob(scan.name.replace("_0000", "_000?")):
        shutil.copy(channel, folder / "in")
    words = ("-d", dataset, "-i", f"{folder}/in", "-o", f"{folder}/out", *MODELS, *QUICK)
    forked_command(root, predict_entry_point, *words)
    (file,) = (folder / "out").glob("*.nii.gz")
    image, labels = sitk.ReadImage(str(scan)), sitk.ReadImage(str(file))
    assert labels.GetSize() == image.GetSize()
    found = sitk.GetArrayFromImage(labels)
    assert set(np.unique(found)) <= set(LABELS.values())
    return found


def models(root: Path) -> list[str]:
    """Datasets that have a finished model."""
    return sorted(file.relative_to(root / "results").parts[0] for file in root.rglob(f"{MODEL}/*/checkpoint_final.pth"))
