"""The form of the plans of a group: what this package reads of them, besides nnU-Net's own entries."""

import math
import re
from collections.abc import Callable, Collection
from typing import Any

from mass_nnunet.errors import UserError, shortened
from mass_nnunet.hyperparameters import INFERENCES


def check_form(where: object, plans: Any, remedy: str, required: Collection[str] | None = None) -> None:
    """Make sure that plans have the entries that this package reads, in the form in which ``plan`` writes them.

    Args:
        where: file of the plans, or their name, for the message.
        plans: their content.
        remedy: what to do where they have another form.
        required: entries that may not be absent; None for all but those that ``plan`` does not always write.

    Raises:
        UserError: an entry is absent, or of another form.
    """
    for entry, has_form in {**_FORMS, **_OPTIONAL}.items():
        found, is_there = plans, True
        for key in entry.split("."):
            is_there = isinstance(found, dict) and key in found
            found = found[key] if is_there else None
        if not is_there and entry not in _OPTIONAL and (required is None or entry in required):
            raise UserError(f"{where} has no {entry}: {remedy}")
        if is_there and not has_form(found):
            raise UserError(f"{where} has {entry} {shortened(found)}, which is of another form: {remedy}")
    for name, settings in plans.get("configurations", {}).items():
        for key, has_form in _OF_CONFIGURATION.items():
            if key in settings and not has_form(settings[key]):
                found = f"{shortened(settings[key])} of {shortened(name)}"
                raise UserError(f"{where} has {key} {found}, which is of another form: {remedy}")
    names = [modality["name"] for modality in plans["mass"]["modalities"]]
    if plans["mass"]["modality"] not in names or len(set(names)) < len(names):
        raise UserError(f"{where} has mass.modality {shortened(plans['mass']['modality'])}, of {names}: {remedy}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _are(is_one: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(is_one, value))


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _are_configurations(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_mapping, value.values()))


def _is_modality(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_text(value.get("name")) or not _is_count(value.get("channels", 1)):
        return False
    return (
        isinstance(value.get("dataset"), str) and re.fullmatch(r"Dataset\d{3}_[^/\\\0]+", value["dataset"]) is not None
    )


def _are_regions(value: Any) -> bool:
    # A network has a class for each value: one that no region has, or a huge one, is not of a label map.
    if not _are(_are(_is_count))(value):
        return False
    values = {each for region in value for each in region}
    return len(values) == max(values)


_FORMS: dict[str, Callable[[Any], bool]] = {
    "plans_name": _is_text,
    "dataset_name": _is_text,
    "configurations": _are_configurations,
    "mass": _is_mapping,
    "mass.modalities": _are(_is_modality),
    "mass.modality": _is_text,
    "mass.epochs": _is_count,
    "mass.iterations": _is_count,
    "mass.validation_iterations": _is_count,
    "mass.hyperparameters": _is_mapping,
    "mass.inference": lambda value: isinstance(value, str) and value in INFERENCES,
}
_OPTIONAL: dict[str, Callable[[Any], bool]] = {"mass.regions": _are_regions}
_OF_CONFIGURATION: dict[str, Callable[[Any], bool]] = {
    "data_identifier": _is_text,
    "patch_size": _are(_is_count),
    "spacing": _are(_is_length),
    "batch_size": _is_count,
    "architecture": _is_mapping,
}
"""Entries of a configuration; one that inherits from another need not have them."""
OF_A_GROUP = ("configurations", "mass", "mass.modalities", "mass.modality")
"""Entries that tell which datasets were planned together."""
HYPERPARAMETERS = "mass.hyperparameters"
OF_A_NETWORK = (*OF_A_GROUP, HYPERPARAMETERS, "mass.inference")
"""Entries without which a network cannot be built."""
