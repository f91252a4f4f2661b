"""Slices that nobody annotated, at the ends of a scan or between others."""

import numpy as np

BLUNT_END = 0.6
"""An organ tapers off: the area of its first and last slice is at most this share of its largest area. In 16 labelled
MRIs of CHAOS, with slices 7.7 mm apart, the largest share is 0.47."""

MOST_GAPS = 0.25
"""Largest share of the slices between an organ's ends that do not show it; an organ of two parts has a few."""


def blunt_ends(areas: np.ndarray) -> np.ndarray:
    """Boolean (2,): whether an organ ends bluntly at its first and at its last slice.

    Args:
        areas: area of the organ in each of its slices.
    """
    return areas[[0, -1]] > BLUNT_END * areas.max()


def left_out(absent: np.ndarray) -> int:
    """How many slices of an organ were left out, where it seems to be annotated in every n-th slice only; else 0.

    Args:
        absent: boolean (N,), of the slices from its first to its last one: those that were annotated without it.
    """
    gaps = int(absent[0]) + np.count_nonzero(np.diff(absent.astype(int)) == 1)
    return int(absent.sum()) if absent.mean() > MOST_GAPS and gaps > 1 else 0


def unannotated_ends(organs: np.ndarray) -> tuple[int, int]:
    """How many slices at the two ends of a scan have no label, where an organ ends bluntly at the first that has one.

    The organ goes on, so that nobody has annotated these slices.

    Args:
        organs: label map (Z, Y, X), 0 for background.

    Returns:
        Numbers before the first slice with a label and after the last one; 0 at an end that is annotated.
    """
    labelled = np.flatnonzero(organs.any((1, 2)))
    if not labelled.size:
        return 0, 0
    blunt = np.zeros(2, bool)
    for value in np.unique(organs[organs > 0]):
        areas = (organs == value).sum((1, 2))
        own = np.flatnonzero(areas)
        reaches = np.array([own[0] == labelled[0], own[-1] == labelled[-1]])
        blunt |= reaches & blunt_ends(areas[own[0] : own[-1] + 1])
    before, after = np.where(blunt, [labelled[0], len(organs) - 1 - labelled[-1]], 0).tolist()
    return before, after
