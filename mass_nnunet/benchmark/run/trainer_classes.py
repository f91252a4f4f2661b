"""The trainer of a method: one of this package, or any that nnU-Net finds, such as its own variants."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from mass_nnunet import trainers
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.env import EXTERNAL_TRAINERS, temporary_environment, trainer_folders
from mass_nnunet.trainers.base.schedule import ScheduledTrainer


@dataclass(frozen=True)
class TrainerKind:
    """What the benchmark has to know of a trainer."""

    is_ours: bool
    """Whether it takes its schedule from the plans and obeys the whole fold, with its hidden labels."""
    together: bool
    """Whether one training gives the models of all modalities."""
    choices: tuple[str, ...]
    """Inferences that its network offers; empty without a choice."""
    changes: dict[str, Any]
    """Hyperparameters that it fixes."""
    reads_outside: Callable[[dict[str, Any]], bool] = lambda _: False
    """Whether a training by these plans reads the labels of another tool (data/outside.py)."""
    revision: int = 1
    """Number of its objective, which rises when a cell of an earlier version cannot be compared with later ones."""


def find_trainer(name: str) -> TrainerKind:
    """The trainer of this name, of this package or as nnU-Net finds it.

    Raises:
        UserError: there is none, or nnU-Net's search ends with an error.
    """
    found: Any = getattr(trainers, name) if name in trainers.__all__ else _find(name)
    if issubclass(found, ScheduledTrainer):
        return TrainerKind(
            True,
            together=found.trains_group,
            choices=found.inferences,
            changes=found.CHANGES,
            reads_outside=found.reads_outside,
            revision=found.REVISION,
        )
    return TrainerKind(False, False, (), {})


def _find(name: str) -> type:
    try:
        with temporary_environment({EXTERNAL_TRAINERS: trainer_folders()}), contextlib.redirect_stdout(io.StringIO()):
            return recursive_find_trainer_class_by_name(name)
    except RuntimeError:
        raise UserError(
            f"methods has {name!r}, which is no trainer: there are {', '.join(trainers.__all__)}, and nnU-Net finds no "
            f"other of that name, in its own package or in {EXTERNAL_TRAINERS}"
        ) from None
    except AssertionError:
        raise UserError(f"methods has {name!r}, which is no subclass of nnUNetTrainer: name a trainer") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(f"nnU-Net cannot look for the trainer {name} ({reason}): repair {EXTERNAL_TRAINERS}") from None
