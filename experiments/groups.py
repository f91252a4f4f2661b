"""The groups of datasets that the experiments train on: synthetic CT and MRI, and synthetic CT with real MRI."""

from argparse import Namespace
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from chaos_t2 import find_cases
from mass_nnunet.cli import main as mass_nnunet
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.datasets import chaos
from mass_nnunet.dataset_conversion.raw_dataset import ConversionOptions, write_dataset
from mass_nnunet.dataset_conversion.source import Target
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from mass_nnunet.runtime.env import HOOK_FOLDER, temporary_environment

PHANTOM, REAL_FOLDS = "phantom", 4
IDS = ("801", "802")
DATASETS = ("Dataset801_BTCV", "Dataset802_CHAOS")


def nnunet_folders(root: Path, results: str = "results") -> AbstractContextManager[None]:
    """Set nnU-Net's variables to folders below ``root`` inside the block."""
    values = {f"nnUNet_{kind}": str(root / kind) for kind in ("raw", "preprocessed")}
    values["nnUNet_results"] = str(root / results)
    values["nnUNet_extTrainer"] = str(HOOK_FOLDER)
    return temporary_environment(values)


def prepare(root: Path, args: Namespace) -> list[Path]:
    """Make, convert, split and plan the groups that do not exist yet, and return their folders.

    There are four groups with real MRI. Each tests another quarter of the patients, so every patient is tested once.
    All four have the same synthetic CT.
    """
    phantom = root / PHANTOM
    count = args.train_scans + args.val_scans + args.test_scans
    scans = ["--ct", count, "--mri", count, "--unlabelled-ct", 0, "--unlabelled-mri", 0, "--size", *args.size]
    run("phantom", root / "drawn", *scans, "--seed", args.phantom_seed, "-np", args.np)
    fraction = args.test_scans / count
    with nnunet_folders(phantom):
        for source, dataset_id in zip(("btcv", "chaos"), IDS, strict=True):
            folder = root / "drawn" / source.upper()
            run("convert", source, folder, "-d", dataset_id, "--test-fraction", fraction)
        _split_and_plan(phantom, args, args.val_scans / (args.train_scans + args.val_scans))
    if args.real is None:
        return [phantom]
    groups = [root / f"real_{fold}" for fold in range(REAL_FOLDS)]
    for fold, group in enumerate(groups):
        synthetic_ct = group / "raw" / DATASETS[0]
        synthetic_ct.parent.mkdir(parents=True, exist_ok=True)
        if not synthetic_ct.exists():
            synthetic_ct.symlink_to((phantom / "raw" / DATASETS[0]).resolve())
        with nnunet_folders(group):
            _write_real(args.real, fold)
            # One patient to validate on: nnU-Net needs one, and there are few patients.
            _split_and_plan(group, args, 0.01)
    return [phantom, *groups]


def rates_of(group: Path, args: Namespace) -> tuple[float, ...]:
    """Label rates of the splits of a group."""
    return tuple(args.label_rates if group.name == PHANTOM else args.real_label_rates)


def _write_real(source: Path, fold: int) -> None:
    """Write the real MRIs; every fourth patient, from number ``fold`` on, is a test patient."""
    cases = [
        replace(case, part=Part.TEST if number % REAL_FOLDS == fold else Part.TRAINING)
        for number, case in enumerate(find_cases(source))
    ]
    write_dataset(Target(802, "CHAOS", "MRI", LABELS, cases, chaos.LICENCE, chaos.REFERENCE), ConversionOptions())


def _split_and_plan(group: Path, args: Namespace, val_fraction: float) -> None:
    """Split and plan a group unless it is planned already; later calls may use some of its label rates and seeds.

    Raises:
        UserError: it was planned with other options.
    """
    network = ["--patch-size", *args.patch_size, "--features", args.features]
    asked = [*network, "--epochs", args.epochs, "--iterations", args.iterations]
    done = group / "planned.json"
    if done.exists():
        if read_json(done, "name another folder") != asked:
            raise UserError(f"{group} was not planned with {' '.join(map(str, asked))}: name another folder")
        return
    rates = ["--label-rates", *rates_of(group, args)]
    run("split", "-d", *IDS, *rates, "--seeds", args.seeds, "--val-fraction", val_fraction)
    run("plan", "-d", *IDS, "--spacing", "fit", *asked, "-np", args.np)
    write_json(done, asked)


def run(*words: object) -> None:
    """Run one command of ``mass_nnunet``.

    Raises:
        SystemExit: it failed and has printed the reason.
    """
    if status := mass_nnunet([str(word) for word in words]):
        raise SystemExit(status)
