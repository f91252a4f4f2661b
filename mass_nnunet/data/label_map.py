"""Label maps of a raw dataset or of predictions: every value has a name in ``dataset.json``, or the file is refused."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from mass_nnunet.errors import UserError

from .dataset_json import DATASET_JSON, Labels, read_dataset_json
from .volume import read_volume

NEARLY_WHOLE = 1e-3
"""Distance from a whole number below which a value is that number: programs that compute in float32 write 2.00003."""


class LabelMap(NamedTuple):
    """A label map whose values are known.

    Attributes:
        image: the file as it is, for its grid.
        values: values (Z, Y, X), of an integer type.
        notes: one sentence for each correction.
    """

    image: sitk.Image
    values: np.ndarray
    notes: tuple[str, ...]


def values_of(label: int | Sequence[int]) -> tuple[int, ...]:
    """The values of a label, which is one value, or several for a region."""
    return (label,) if isinstance(label, int) else tuple(label)


def mask_of(values: np.ndarray, label: int | Sequence[int]) -> np.ndarray:
    """Where a label map has a label, or one of the values of a region; boolean, of the same shape."""
    first, *others = values_of(label)
    mask = values == first
    for other in others:
        mask |= values == other
    return mask


def known_values(labels: Labels) -> set[int]:
    """All values that the labels of ``dataset.json`` name, and 0, which is always background in nnU-Net."""
    return {0, *(value for label in labels.values() for value in values_of(label))}


def check_same_labels(file: Path, labels: Labels, other: Path, their_labels: Labels) -> tuple[str, ...]:
    """Make sure that the ``dataset.json`` of predictions and that of their truth give no organ different values.

    Args:
        file: that of the predictions.
        labels: in ``file``.
        other: that of the truth.
        their_labels: in ``other``.

    Returns:
        One sentence for each value to which they give different names.

    Raises:
        UserError: an organ has different values.
    """
    for organ, label in labels.items():
        if values_of(their_labels.get(organ, label)) != values_of(label):
            raise UserError(
                f"{file} has {organ} {label}, and {other} has {organ} {their_labels[organ]}: give the predictions the "
                "values of the truth, and its dataset.json"
            )
    names = {values_of(label): organ for organ, label in their_labels.items()}
    return tuple(
        f"{label} is {organ} in {file} and {names[values_of(label)]} in {other}: taken for the same"
        for organ, label in labels.items()
        if names.get(values_of(label), organ) != organ
    )


def check_predictions(folder: Path, dataset_json: Path, labels: Labels) -> tuple[str, ...]:
    """:func:`check_same_labels` for predictions, if there is a dataset.json beside them, as nnU-Net writes it.

    Args:
        folder: of the predictions.
        dataset_json: file of the dataset by which they are read.
        labels: in ``dataset_json``.

    Raises:
        UserError: an organ has other values there, or the file beside the predictions is wrong.
    """
    written = folder / DATASET_JSON
    if not written.is_file():
        return ()
    its = read_dataset_json(written, "predict again, or remove it", ["labels"])["labels"]
    return check_same_labels(written, its, dataset_json, labels)


def translated(values: np.ndarray, given: Labels, labels: Labels) -> np.ndarray:
    """A label map with the values of ``labels``, from one with those of ``given``; all other values become background.

    Args:
        values: any shape, of an integer type.
        given: value, or values, of each organ in ``values``.
        labels: the value of each organ of ``given`` in the result.
    """
    result = np.zeros(values.shape, np.int32)
    for organ, label in given.items():
        result[np.isin(values, values_of(label))] = labels[organ]
    return result


def read_label_map(path: Path, labels: Labels) -> LabelMap:
    """Read a label map.

    Args:
        path: the file.
        labels: labels of its dataset.

    Raises:
        UserError: the file is no volume, or holds a value that is no whole number or that ``labels`` does not name.
    """
    image = read_volume(path)
    values, notes = whole_values(sitk.GetArrayFromImage(image), path)
    check_known(values, known_values(labels), path)
    return LabelMap(image, values, notes)


def check_known(values: np.ndarray, known: Collection[int], path: Path) -> None:
    """Make sure that a label map holds known values only.

    Args:
        values: any shape, of an integer type.
        known: known values.
        path: file of the values, for the message.

    Raises:
        UserError: there is another value.
    """
    unknown = np.setdiff1d(_distinct(values), list(known))
    if unknown.size:
        raise UserError(f"{path} has value {unknown[0]}, which dataset.json does not name: is it of another dataset?")


def _distinct(values: np.ndarray) -> np.ndarray:
    """As ``np.unique``, which sorts all voxels and takes seconds for a CT."""
    if not values.size or values.min() < 0 or values.max() >= 1 << 16:
        return np.unique(values)
    present = np.zeros(int(values.max()) + 1, bool)
    present[values] = True
    return np.flatnonzero(present)


def whole_values(values: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The values of a label map as integers, and a note where some were rounded.

    Args:
        values: any shape, any type.
        path: file of the values, for messages.

    Raises:
        UserError: a value is further than ``NEARLY_WHOLE`` from a whole number, or too large for a label.
    """
    if np.issubdtype(values.dtype, np.integer):
        return values, ()
    rounded = np.rint(values)
    with np.errstate(invalid="ignore"):
        distance = np.abs(values - rounded)  # NaN for NaN and infinity, hence not ">" below
    wrong = ~((distance <= NEARLY_WHOLE) & (np.abs(rounded) < 2**31))
    if wrong.any():
        raise UserError(
            f"{path} holds the value {exactly(values[wrong].flat[0])}, which is no known label: "
            "correct or remove the file"
        )
    notes: tuple[str, ...] = ()
    if distance.any():
        first = values[distance > 0].flat[0]
        notes = (f"{path} holds values close to whole numbers, such as {exactly(first)}: they are rounded",)
    return rounded.astype(np.int32), notes


def check_truncation(stored: np.ndarray, rounded: np.ndarray, path: Path) -> None:
    """Make sure that nnU-Net, which reads float32 and cuts off the decimals, takes a label map as it was rounded.

    Args:
        stored: values as they are in the file, any shape.
        rounded: the same by :func:`whole_values`.
        path: file of the values, for the message.

    Raises:
        UserError: it does not.
    """
    different = stored.astype(np.float32) != rounded
    if different.any():
        value = exactly(stored[different].flat[0])
        raise UserError(
            f"{path} holds the value {value}, of which nnU-Net cuts off the decimals: write whole numbers, as "
            "`mass_nnunet relabel` does"
        )


def check_whole(path: Path) -> None:
    """Make sure that nnU-Net cuts off no decimals of a label map; no voxel of a file of whole numbers is read.

    Args:
        path: the file, of which the header is sound.

    Raises:
        UserError: it does, or a value is no whole number, or the file is damaged.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if "float" not in sitk.GetPixelIDValueAsString(reader.GetPixelID()):  # that of rescaled values
        return
    stored = sitk.GetArrayFromImage(read_volume(path))
    check_truncation(stored, whole_values(stored, path)[0], path)


def exactly(value: float) -> str:
    """A value with as many digits as distinguish it from all others of its type: ``501``, ``1.0011``."""
    return str(int(value)) if np.isfinite(value) and value == np.rint(value) else str(value)
