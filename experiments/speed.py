"""Cost of MASSTrainer relative to what it replaces: training step, prediction and memory, measured in one run.

    python experiments/speed.py work/phantom        # a group that low_label.py prepared, or any with MASSPlans

Batches are random: nothing is loaded or augmented. The methods take turns, so that other load on the machine affects
all of them; times are medians. On a CPU stock nnU-Net computes in float32, ours in bfloat16 where the processor has it.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run.run_training import get_trainer_from_args
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from groups import IDS, nnunet_folders
from mass_nnunet.batch import Scans, StepContext, StepLabels
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.objectives.mass import MASSObjective
from mass_nnunet.trainers import MASSTrainer
from mass_nnunet.trainers.base.nnunet_private import deep_supervision_scales
from mass_nnunet.training.shares import class_shares

STOCK, MASS = "SupervisedTrainer", "MASSTrainer"
METHODS = (MASS, "MASSTrainerNoAtlas", "DualStreamTrainer")
CONFIGURATION = "3d_fullres"
SCAN = 1.5
"""Side of the predicted scan, in patches."""


def make_trainer(name: str, dataset_id: str, device: torch.device) -> nnUNetTrainer:
    """A trainer before its first step, on fold 0."""
    trainer = get_trainer_from_args(dataset_id, CONFIGURATION, 0, name, "MASSPlans", False, device)
    trainer.initialize()
    trainer.network.train()
    if isinstance(trainer, MASSTrainer):
        trainer.appoint_teacher()
    return trainer


def random_batch(scans: int, trainer: nnUNetTrainer, patch: list[int]) -> dict:
    """Noise (S, 1, Z, Y, X) with labels at the scales of deep supervision."""
    labels = torch.randint(0, trainer.label_manager.num_segmentation_heads, (scans, 1, *patch))
    targets = []
    for scale in deep_supervision_scales(trainer):
        z, y, x = (round(1 / factor) for factor in scale)
        targets.append(labels[:, :, ::z, ::y, ::x].contiguous())
    return {"data": torch.randn((scans, 1, *patch)), "target": targets}


def cycle_of(trainer: nnUNetTrainer) -> list[dict]:
    """One cycle of batches, of the sizes that the trainer uses."""
    sizes = [trainer.batch_size]
    if isinstance(trainer, MASSTrainer):
        layout = trainer.layout
        between = trainer.hyperparameters.unlabelled_every - 1 if layout.unlabelled else 0
        sizes = [layout.scans, *[layout.modalities * layout.labelled] * between]
    return [random_batch(scans, trainer, trainer.configuration_manager.patch_size) for scans in sizes]


def phases_of(trainer: nnUNetTrainer) -> dict[float, float]:
    """Representative times t/T of a training, with their shares: MASSTrainer's steps cost more before the ramp ends."""
    if not isinstance(trainer, MASSTrainer) or trainer.module.correspondence is None:
        return {1.0: 1.0}
    ramp = trainer.hyperparameters.ramp
    return {0.0: ramp, 1.0: 1 - ramp}


def steps_of(trainer: nnUNetTrainer, cycle: Sequence[dict], progress: float) -> Callable[[], object]:
    """A training step on each batch, at the time ``progress``."""

    def action() -> None:
        trainer.current_epoch = round(progress * trainer.num_epochs)
        for batch in cycle:
            trainer.train_step(batch)

    return action


def take_turns(actions: dict[Any, Callable[[], object]], repeats: int, device: torch.device) -> dict[Any, float]:
    """Median seconds of each action; all of them once a round, after one round that does not count."""
    times: dict[Any, list[float]] = {name: [] for name in actions}
    for _ in range(repeats + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - start)
    return {name: median(values[1:]) for name, values in times.items()}


def training_steps(repeats: int, device: torch.device) -> None:
    """Print the mean time of each method's steps, relative to the two stock steps that a step replaces."""
    trainers = {f"{STOCK} {i}": make_trainer(STOCK, i, device) for i in IDS}
    trainers |= {name: make_trainer(name, IDS[0], device) for name in METHODS}
    cycles = {name: cycle_of(trainer) for name, trainer in trainers.items()}
    phases = {(name, t): share for name, trainer in trainers.items() for t, share in phases_of(trainer).items()}
    actions = {(name, t): steps_of(trainers[name], cycles[name], t) for name, t in phases}
    times = dict.fromkeys(trainers, 0.0)
    for (name, t), seconds in take_turns(actions, repeats, device).items():
        times[name] += phases[name, t] * seconds / len(cycles[name])
    stock = sum(times[f"{STOCK} {i}"] for i in IDS)
    print(f"training step: two stock steps {stock:.3f} s")
    for name in METHODS:
        print(f"  {name:<20} {times[name]:.3f} s, {times[name] / stock:.2f} times")


def predictions(repeats: int, device: torch.device) -> None:
    """Print the time of a scan's prediction by each branch, relative to stock nnU-Net's with and without mirroring."""
    stock, mass = make_trainer(STOCK, IDS[0], device), make_trainer(MASS, IDS[0], device)
    scan = torch.randn((1, *(int(size * SCAN) for size in mass.configuration_manager.patch_size)))
    network = mass.module
    network.active = (0,)
    patch, classes = mass.configuration_manager.patch_size, mass.label_manager.num_segmentation_heads
    capacity = mass.hyperparameters.atlases
    network.atlases.put(0, list(torch.randn(capacity, 1, *patch)), list(torch.randint(0, classes, (capacity, *patch))))

    def predict(trainer: nnUNetTrainer, mirror: bool, inference: str | None = None) -> Callable[[], object]:
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()  # decides on the mirroring at inference
        axes = trainer.inference_allowed_mirroring_axes if mirror else None
        predictor = nnUNetPredictor(device=device, use_mirroring=mirror, allow_tqdm=False)
        model = trainer.module if inference else trainer.network
        predictor.manual_initialization(
            model, trainer.plans_manager, trainer.configuration_manager, None, trainer.dataset_json, "", axes
        )

        def action() -> None:
            trainer.set_deep_supervision_enabled(False)
            if inference:
                model.inference = inference
            predictor.predict_sliding_window_return_logits(scan)

        return action

    actions = {"stock": predict(stock, True), "stock without mirroring": predict(stock, False)}
    actions |= {name: predict(mass, False, name) for name in INFERENCES}
    with torch.no_grad():
        times = take_turns(actions, repeats, device)
    print(f"prediction of a scan of {' x '.join(map(str, scan.shape[1:]))} voxels, {capacity} atlases")
    for name, seconds in times.items():
        ratios = " and ".join(f"{seconds / times[other]:.2f}" for other in list(actions)[:2])
        print(f"  {name:<24} {seconds:.3f} s, {ratios} times stock's with and without mirroring")


def scaling(repeats: int, device: torch.device) -> None:
    """Print the time of forward and backward pass for several numbers of modalities and sizes of the patch."""
    trainer = make_trainer(MASS, IDS[0], device)
    patch = trainer.configuration_manager.patch_size
    settings = {f"N = {n}": (n, patch) for n in (2, 3, 4)}
    settings["N = 2, patch of a quarter"] = (2, [patch[0], patch[1] // 2, patch[2] // 2])
    actions = {name: _pass(trainer, n, list(size), device) for name, (n, size) in settings.items()}
    times = take_turns(actions, repeats, device)
    print("forward and backward pass")
    for name, seconds in times.items():
        print(f"  {name:<24} {seconds:.3f} s, {seconds / times['N = 2']:.2f} times that of N = 2")


def _pass(trainer: MASSTrainer, modalities: int, patch: list[int], device: torch.device) -> Callable[[], object]:
    """A forward and backward pass of a network for ``modalities`` modalities, with the trainer's loss and plans."""
    plans = deepcopy(trainer.plans_manager.plans)
    plans["mass"]["modalities"] = [{"name": name, "dataset": ""} for name in "ABCD"[:modalities]]
    plans["mass"]["modality"] = "A"
    heads = trainer.label_manager.num_segmentation_heads
    network: Any = trainer.build_network_architecture(PlansManager(plans), trainer.configuration_manager, 1, heads)
    network.to(device).train()
    network.active = tuple(range(modalities))
    loss = MASSObjective(trainer.loss.supervised, heads, trainer.hyperparameters)
    layout = replace(trainer.layout, modalities=modalities)
    pseudo_labels = torch.randn((modalities * layout.unlabelled, heads, *patch), device=device).softmax(1)
    batch = random_batch(layout.scans, trainer, patch)
    scans = Scans(batch["data"].to(device), layout)
    labels = [label.to(device) for label in batch["target"]]
    shares = class_shares(labels[0], pseudo_labels, layout, heads, labels[1].shape[2:])
    target = StepLabels(labels, StepContext(layout, 0.0, pseudo_labels, shares))

    def action() -> None:
        network.zero_grad()
        loss(network(scans), target).backward()

    return action


def peak_memory(device: torch.device, root: Path) -> None:
    """Print the peak memory of training steps of stock nnU-Net and of MASSTrainer, each in a separate process."""
    print("peak memory of a training")
    for name in (STOCK, MASS):
        words = [sys.executable, __file__, str(root), "--device", str(device), "--peak", name]
        output = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(f"  {name:<20} {output.splitlines()[-1]}")


def print_peak(name: str, device: torch.device) -> None:
    """Print the peak memory of two training steps; :func:`peak_memory` runs this in a separate process."""
    trainer = make_trainer(name, IDS[0], device)
    steps = steps_of(trainer, cycle_of(trainer), 0.0)
    for _ in range(2):
        steps()
    if device.type == "cuda":
        print(f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GB on the GPU")
    else:
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB with all of Python")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder with nnU-Net's raw, preprocessed and results")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    args = parser.parse_args()
    device = torch.device(args.device)
    with nnunet_folders(args.root.resolve()):
        if args.peak:
            print_peak(args.peak, device)
            return
        # First: a process starts with the peak of the one that starts it.
        peak_memory(device, args.root)
        training_steps(args.repeats, device)
        predictions(args.repeats, device)
        scaling(args.repeats, device)


if __name__ == "__main__":
    main()
