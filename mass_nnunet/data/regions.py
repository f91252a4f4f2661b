"""Regions, nnU-Net's labels of several values, and the classes that they consist of: the values of the label maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

from .dataset_json import Labels
from .label_map import known_values, values_of

ORDER = "regions_class_order"
"""nnU-Net's key of the value that each region writes into a prediction; a later region overwrites an earlier one."""
Regions = dict[str, tuple[int, ...]]
"""Name to values, in the order in which nnU-Net has the regions."""


def regions_of(labels: Labels) -> Regions:
    """The regions of a dataset, labels of one value among them; none where no label has several values."""
    found = {name: values_of(label) for name, label in labels.items() if name not in (BACKGROUND, IGNORE)}
    return found if any(len(values) > 1 for values in found.values()) else {}


def classes_of(labels: Labels) -> dict[str, int]:
    """Name to value of the classes, which exclude each other; ``ignore`` is kept.

    Where labels are regions, each value is a class. It has the name of the label that is this value alone, if there
    is one, else its number.
    """
    if all(isinstance(label, int) for label in labels.values()):
        return {name: values_of(label)[0] for name, label in labels.items()}
    alone = {values[0]: name for name, label in labels.items() if len(values := values_of(label)) == 1}
    return {alone.get(value, str(value)): value for value in sorted(known_values(labels))}


def check_regions(path: Path, content: Mapping[str, Any]) -> None:
    """Make sure that nnU-Net can make a label map of its regions again, up to values that no region tells apart.

    Args:
        path: a dataset.json, for the message.
        content: its content.

    Raises:
        UserError: it cannot, or a region has the value of the background or of ``ignore``.
    """
    labels, order = content["labels"], content.get(ORDER)
    regions = regions_of(labels)
    apart = [labels[name] for name in (BACKGROUND, IGNORE) if name in labels]
    for name, values in regions.items():
        if set(values) & set(apart):
            raise UserError(
                f"{path} has the region {name} {list(values)}: the values of {BACKGROUND} and {IGNORE} are in no region"
            )
    if not isinstance(order, list) or len(order) != len(regions):
        raise UserError(f"{path} has the {ORDER} {order}: give a list with one value for each of {', '.join(regions)}")
    within = {value: [value in values for values in regions.values()] for value in known_values(regions) - {0}}
    for value, its_regions in within.items():
        *_, written = (each for each, is_in in zip(order, its_regions, strict=True) if is_in)
        if within.get(written) != its_regions:
            raise UserError(
                f"{path} has the {ORDER} {order}, with which nnU-Net writes {written} where {value} is: name the value "
                "that each region writes, in the order of the labels, and give larger regions first"
            )
