"""Train once with changed hyperparameters, and score every branch on the test scans, as for the choice of defaults.

    python experiments/tune.py work/phantom --fold 0 --epochs 16 --set learning_rate=0.01 --weight unfolding=5

The test scans are scored at the plans' spacing, without export and without validation; each run adds a line to
tune.jsonl. Do not choose on the scans that results are reported on: make a phantom with another seed.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run.run_training import get_trainer_from_args
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from groups import nnunet_folders
from mass_nnunet import trainers
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.evaluation.metrics import dice
from mass_nnunet.hyperparameters import complete
from mass_nnunet.trainers.base.group import GroupTrainer


def assignment(word: str) -> tuple[str, Any]:
    """Name and value of NAME=VALUE; a value that is not JSON is text."""
    name, _, value = word.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def change(method: str, values: dict[str, Any], weights: dict[str, Any]) -> None:
    """Override the plans' hyperparameters for a trainer class, in this process."""
    if values or weights:
        cls = getattr(trainers, method)
        before = getattr(cls, "CHANGES", None)
        if before is None:
            raise UserError(f"{method} is stock nnU-Net and has no hyperparameters: leave out --set and --weight")
        cls.CHANGES = {**before, **values, "weights": {**before.get("weights", {}), **weights}}
        complete(cls.CHANGES)  # names a typing error


def train(trainer: nnUNetTrainer) -> float:
    """Train without checkpoints, and return the mean seconds of a step."""
    trainer.disable_checkpointing = True
    times, step = [], trainer.train_step

    def timed(batch: dict) -> dict:
        start = time.perf_counter()
        result = step(batch)
        times.append(time.perf_counter() - start)
        return result

    trainer.train_step = timed
    trainer.run_training()
    return float(np.mean(times))


def score(trainer: nnUNetTrainer, network: nn.Module, mirroring: tuple | None) -> list[float]:
    """Mean Dice of each organ over the test scans of one dataset."""
    plans, configuration = trainer.plans_manager, trainer.configuration_manager
    predictor = nnUNetPredictor(device=trainer.device, use_mirroring=mirroring is not None, allow_tqdm=False)
    predictor.manual_initialization(network, plans, configuration, None, trainer.dataset_json, "", mirroring)
    preprocessor = configuration.preprocessor_class(verbose=False)
    raw = dataset_folder("raw", int(plans.dataset_name[7:10]))
    rows = []
    for label in sorted((raw / "labelsTs").glob("*.nii.gz")):
        image = raw / "imagesTs" / label.name.replace(".nii.gz", "_0000.nii.gz")
        scan, truth, _ = preprocessor.run_case([str(image)], str(label), plans, configuration, trainer.dataset_json)
        with torch.no_grad():
            logits = predictor.predict_sliding_window_return_logits(torch.as_tensor(scan))
        predicted = logits.argmax(0).cpu().numpy()
        rows.append([dice(predicted == k, truth[0] == k) for k in range(1, len(logits))])
    return np.nanmean(rows, axis=0).round(4).tolist()


def scores_of(trainer: nnUNetTrainer) -> dict[str, list[float]]:
    """Mean Dice of each organ, by dataset and inference."""
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    mirroring = trainer.inference_allowed_mirroring_axes
    if not isinstance(trainer, GroupTrainer):
        return {trainer.plans_manager.dataset_name: score(trainer, trainer.network, mirroring)}
    network: Any = trainer.module
    scores = {}
    kinds = getattr(network, "inferences", ("segmentation",))
    for modality, one in enumerate(trainer.dataset_trainers):
        trainer.activate([modality])
        for network.inference in kinds:
            name = f"{one.plans_manager.dataset_name} {network.inference}"
            scores[name] = score(one, network, mirroring)
    return scores


def training_parser(description: str, epochs: int) -> argparse.ArgumentParser:
    """Parser of a script that trains once with changed hyperparameters, by default for so many epochs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("root", type=Path, help="folder with nnU-Net's raw, preprocessed and results")
    parser.add_argument("--method", default="MASSTrainer", choices=sorted(trainers.__all__))
    parser.add_argument("-d", default="801", help="dataset to train; its partners come along")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters")
    parser.add_argument("--weight", nargs="*", default=[], metavar="TERM=VALUE")
    parser.add_argument("--device", default="cpu")
    return parser


def changed_trainer(args: argparse.Namespace) -> nnUNetTrainer:
    """The seeded trainer that arguments of :func:`training_parser` ask for."""
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)  # noqa: NPY002, what nnU-Net draws from
    change(args.method, *(dict(map(assignment, words)) for words in (args.set, args.weight)))
    device = torch.device(args.device)
    trainer = get_trainer_from_args(args.d, "3d_fullres", args.fold, args.method, "MASSPlans", False, device)
    trainer.num_epochs, trainer.num_iterations_per_epoch = args.epochs, args.iterations
    return trainer


def main() -> None:
    args = training_parser(__doc__.splitlines()[0], epochs=16).parse_args()
    with exit_on_user_error(), nnunet_folders(args.root.resolve(), results="tuned"):  # not among the real models
        trainer = changed_trainer(args)
        seconds = train(trainer)
        result = vars(args) | {"root": str(args.root), "step_seconds": round(seconds, 3), "dice": scores_of(trainer)}
        if isinstance(trainer, GroupTrainer):
            result["terms"] = {term: float(value) for term, value in trainer.loss.terms.items()}
    line = json.dumps(result)
    print(line)
    with (args.root / "tune.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    main()
