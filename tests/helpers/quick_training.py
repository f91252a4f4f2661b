"""nnU-Net's training as tests can afford it: without its pictures, its search for classes, and new processes."""

import os
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from nnunetv2.evaluation import evaluate_predictions
from nnunetv2.inference import predict_from_raw_data
from nnunetv2.run import run_training
from nnunetv2.training.logging.nnunet_logger import LocalLogger
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as nnunet_module
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from mass_nnunet.data.files import atomic_path
from mass_nnunet.runtime.env import EXTERNAL_TRAINERS
from mass_nnunet.trainers.base import joint, registering
from nnunet_threads import THREADS

_FOUND: dict[tuple[str, str | None], type] = {}


def train_quickly(patch: pytest.MonkeyPatch) -> None:
    """Let a tiny training take less than half of its time, as long as ``patch`` lasts."""
    draw_little(patch)
    find_once(patch)
    validate_in_threads(patch)


def draw_little(patch: pytest.MonkeyPatch) -> None:
    """The pictures of a training take half of the time of so short a one."""

    def draw(*arguments: object, **_: object) -> None:
        file = next(Path(word) for word in arguments if isinstance(word, str | Path))
        with atomic_path(file / "progress.png" if file.is_dir() else file) as temporary:
            matplotlib.image.imsave(temporary, np.zeros((2, 2)))

    patch.setattr(joint, "plot_terms", draw)
    patch.setattr(registering, "plot_registration", draw)
    patch.setattr(LocalLogger, "plot_progress_png", draw)


def find_once(patch: pytest.MonkeyPatch) -> None:
    """Each time that nnU-Net looks for a trainer's class it goes through all modules that are imported.

    Here it does so for the first trainer of a name.
    """

    def find(name: str) -> type:
        key = (name, os.environ.get(EXTERNAL_TRAINERS))
        if key not in _FOUND:
            _FOUND[key] = recursive_find_trainer_class_by_name(name)
        return _FOUND[key]

    for module in (run_training, predict_from_raw_data):
        patch.setattr(module, "recursive_find_trainer_class_by_name", find)


def validate_in_threads(patch: pytest.MonkeyPatch) -> None:
    """Let nnU-Net's validation and evaluation start no processes, which would import torch for seconds."""
    for module in (nnunet_module, evaluate_predictions):
        patch.setattr(module, "multiprocessing", THREADS)
