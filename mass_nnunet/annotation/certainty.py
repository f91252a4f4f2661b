"""How sure a trained model is of a scan, by organ, and what it proposes as labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from mass_nnunet.api import Model
from mass_nnunet.data.volume import read_volume
from mass_nnunet.hyperparameters import HEAD


@dataclass(frozen=True)
class Certainty:
    """How sure a model is of one scan.

    Attributes:
        dice: the Dice of each organ that the model's own probabilities let expect; 0 for an organ that it does not
            find. Most networks are too sure, so this ranks scans and does not measure them.
    """

    dice: dict[str, float]

    @property
    def uncertainty(self) -> float:
        """1 minus the mean expected Dice, 0 to 1."""
        return 1 - sum(self.dice.values()) / len(self.dice)

    @property
    def missing(self) -> list[str]:
        """Organs that the model does not find."""
        return [organ for organ, dice in self.dice.items() if dice == 0]

    @property
    def least(self) -> str | None:
        """The organ of which the model is least sure, of those that it finds."""
        found = {organ: dice for organ, dice in self.dice.items() if dice > 0}
        return min(found, key=lambda organ: found[organ], default=None)


def assess(model: Model, files: Sequence[Path], *, quick: bool = False) -> Certainty:
    """How sure a model is of a scan, from the mean of what its head and its own inference say.

    The mean is less sure where they contradict each other, as head and atlases may.

    Args:
        model: the model.
        files: files of the scan, one for each channel.
        quick: whether only the head is asked; atlases take some fifty times as long.

    Raises:
        UserError: a file is no sound scan, or the scan does not fit the model.
    """
    found = model.uncertainty(_read(files), branches=[HEAD] if quick else list(dict.fromkeys([HEAD, model.branch])))
    labels = found.probabilities.argmax(0)
    names = [model.labels[value] for value in range(1, len(found.probabilities))]
    expected = [float(dice) if (labels == k + 1).any() else 0.0 for k, dice in enumerate(found.expected_dice)]
    return Certainty(dict(zip(names, expected, strict=True)))


def propose(model: Model, files: Sequence[Path]) -> sitk.Image:
    """The model's prediction on the grid of the scan.

    Raises:
        UserError: as :func:`assess`.
    """
    return model.segment(_read(files)).image


def _read(files: Sequence[Path]) -> list[sitk.Image]:
    return [read_volume(file) for file in files]
