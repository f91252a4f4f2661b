"""All private parts of nnU-Net's trainer that this package uses: the place to look at when nnU-Net changes."""

from collections.abc import Iterable

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


def log_also(trainer: nnUNetTrainer, keys: Iterable[str]) -> None:
    """Let the trainer's log have these keys, with one value an epoch; nnU-Net refuses to log others."""
    for key in keys:
        trainer.logger.local_logger.my_fantastic_logging.setdefault(key, [])


def use_plain_best_dice(trainer: nnUNetTrainer) -> None:
    """Make the best moving average of the pseudo Dice a Python number, where there is one."""
    if trainer._best_ema is not None:
        trainer._best_ema = float(trainer._best_ema)


def share_progress(source: nnUNetTrainer, target: nnUNetTrainer) -> None:
    """Bring a trainer to where another one is: its epoch, and its best moving average of the pseudo Dice."""
    target.current_epoch, target._best_ema = source.current_epoch, source._best_ema


def deep_supervision_scales(trainer: nnUNetTrainer) -> list[list[float]]:
    """Sizes of the network's outputs, from fine to coarse, as shares (z, y, x) of the patch."""
    return trainer._get_deep_supervision_scales()
