"""Where the head of a model and its atlases disagree about a scan."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mass_nnunet.api import Model
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.intensities import is_ct
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import ATLAS, HEAD

from .marks import most_doubtful

WIDTH = 10.0
"""Standard deviation in mm within which disagreeing voxels add up."""


@dataclass(frozen=True)
class Disagreement:
    """How much head and atlases disagree about an organ.

    Attributes:
        dice: Dice of the two; 1 where neither finds the organ.
        index: voxel (x, y, z) of the file of the scan, counted from 0, around which they disagree most; None where
            they agree everywhere.
    """

    dice: float
    index: tuple[int, int, int] | None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Disagreement":
        """From JSON, which has a list in the place of a tuple."""
        index = content["index"]
        return cls(content["dice"], None if index is None else tuple(index))


def load_with_atlases(folder: Path, fold: int, dataset: RawDataset) -> Model:
    """A trained model that has atlases, and segments what a dataset has.

    Raises:
        UserError: there is no such model, it has no atlases, it does not know an organ of the dataset, or its scans
            have other channels.
    """
    model = Model.load(folder, fold)
    if ATLAS not in model.branches:
        raise UserError(f"{folder} has no atlases to compare with: name a training of MASSTrainer with -m, or none")
    known = set(model.labels.values())
    if absent := [name for name in dataset.labels if name not in known]:
        raise UserError(
            f"{folder} does not segment {', '.join(absent)}, as {dataset.name} does: name a training on this dataset "
            "with -m, or none"
        )
    channels = list(model.predictor.dataset_json["channel_names"].values())
    if [is_ct(name) for name in channels] != [is_ct(name) for name in dataset.channels]:
        raise UserError(
            f"{folder} segments {', '.join(channels)}, and {dataset.name} holds {', '.join(dataset.channels)}: name a "
            "training on this dataset with -m, or none"
        )
    return model


def disagreements(model: Model, files: Sequence[Path]) -> dict[str, Disagreement]:
    """How much head and atlases disagree about each organ.

    Args:
        model: of :func:`load_with_atlases`.
        files: files of the scan, one for each channel.

    Raises:
        UserError: a file is no sound scan, or the scan does not fit the model.
    """
    found = model.segment_by_branches([read_volume(file) for file in files], branches=[HEAD, ATLAS])
    head, atlas = (found[name].image for name in (HEAD, ATLAS))
    one, other = sitk.GetArrayFromImage(head), sitk.GetArrayFromImage(atlas)
    widths = [WIDTH / edge for edge in head.GetSpacing()[::-1]]
    return {name: _disagreement(one == value, other == value, widths) for value, name in model.labels.items() if value}


def kept_disagreements(file: Path, own: str, model: Model, files: Sequence[Path]) -> dict[str, Disagreement]:
    """As :func:`disagreements`, from a file that an earlier run wrote under the same digest, or new and kept there.

    Args:
        file: the file.
        own: digest of the model and the scan.
        model: as in :func:`disagreements`.
        files: as in :func:`disagreements`.

    Raises:
        UserError: as in :func:`disagreements`.
    """
    if file.is_file():
        kept = read_json(file, "remove it")
        if kept.get("digest") == own:
            return {name: Disagreement.from_json(one) for name, one in kept["organs"].items()}
    found = disagreements(model, files)
    write_json(file, {"digest": own, "organs": {name: asdict(one) for name, one in found.items()}})
    return found


def _disagreement(one: np.ndarray, other: np.ndarray, widths: Sequence[float]) -> Disagreement:
    total, apart = int(one.sum()) + int(other.sum()), one ^ other
    dice = 2 * int((one & other).sum()) / total if total else 1.0
    if not apart.any():
        return Disagreement(dice, None)
    z, y, x = most_doubtful(one.astype(np.float32), other.astype(np.float32), widths)
    return Disagreement(round(dice, 4), (x, y, z))
