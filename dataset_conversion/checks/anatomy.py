"""Rules on the position and size of organs, which find mirrored images, reversed stacks and exchanged labels."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# Axes in LPS coordinates (mm): towards the patient's left, back and head.
_LEFT, _BACK, _UP = 0, 1, 2


class Rule(NamedTuple):
    """A rule: the coordinate of the centroid of ``first`` along ``axis`` is smaller than that of ``second``.

    Attributes:
        axis: index of the axis in LPS coordinates.
        first: name of an organ.
        second: name of an organ.
        violated: message for a violation.
    """

    axis: int
    first: str
    second: str
    violated: str


# "kidneys" is the point midway between the two. In 16 labelled MRIs of CHAOS they lie at least 19 mm behind and 43 mm
# below the liver. Situs inversus looks like a mirrored image and is not supported.
_ABDOMEN = (
    Rule(_LEFT, "right_kidney", "left_kidney", "the right kidney is not to the right of the left kidney"),
    Rule(_LEFT, "liver", "spleen", "the liver is not to the right of the spleen"),
    Rule(_LEFT, "liver", "kidneys", "the liver is not on the patient's right"),
    Rule(_LEFT, "kidneys", "spleen", "the spleen is not on the patient's left"),
    Rule(_BACK, "liver", "kidneys", "the kidneys are not behind the liver"),
    Rule(_UP, "kidneys", "liver", "the kidneys are not below the liver"),
)
_HEART = (
    Rule(_LEFT, "right_ventricle", "left_ventricle", "the right ventricle is not to the right of the left one"),
    Rule(_BACK, "right_ventricle", "left_atrium", "the right ventricle is not in front of the left atrium"),
    Rule(_UP, "left_ventricle", "ascending_aorta", "the ascending aorta is not above the left ventricle"),
)
PLAUSIBLE_ML = {
    "spleen": (30, 1200),
    "right_kidney": (50, 500),
    "left_kidney": (50, 500),
    "liver": (500, 4000),
    "left_ventricle": (30, 400),
    "right_ventricle": (40, 500),
    "left_atrium": (15, 350),
    "right_atrium": (20, 400),
    "myocardium": (40, 400),
    "ascending_aorta": (10, 300),
    "pulmonary_artery": (5, 250),
}
"""Smallest and largest plausible volume of an adult's organ, in ml, including large spleens and small kidneys."""


def misplaced(centres: Mapping[str, tuple[float, float, float]]) -> list[str]:
    """One text for each impossible position of abdominal organs, which shows a wrong orientation or wrong labels.

    Args:
        centres: centroid of each organ in the scan, LPS, mm.
    """
    return _violated(_ABDOMEN, centres)


def doubtful(centres: Mapping[str, tuple[float, float, float]], volumes: Mapping[str, float]) -> list[str]:
    """One text for each unusual position of a structure of the heart, and each volume (ml) outside ``PLAUSIBLE_ML``."""
    texts = _violated(_HEART, centres)
    for organ, volume in volumes.items():
        low, high = PLAUSIBLE_ML.get(organ, (0, np.inf))
        if not low <= volume <= high:
            texts.append(f"{organ} of {volume:.0f} ml, where {low} to {high} are usual")
    return texts


def _violated(rules: tuple[Rule, ...], centres: Mapping[str, tuple[float, float, float]]) -> list[str]:
    points = {name: np.asarray(point) for name, point in centres.items()}
    if {"right_kidney", "left_kidney"} <= points.keys():
        points["kidneys"] = (points["right_kidney"] + points["left_kidney"]) / 2
    return [
        rule.violated
        for rule in rules
        if rule.first in points
        and rule.second in points
        and points[rule.first][rule.axis] > points[rule.second][rule.axis]
    ]
