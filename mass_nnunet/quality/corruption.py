"""Synthetic errors of an annotation, from none to all: what the estimate of quality is calibrated with."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

COUNT = 40
"""Corrupted copies of each annotated scan."""
ELSEWHERE, MERGED = 0.15, 0.1
"""Share of the organs that are found elsewhere, and share of those that take voxels of another one."""


def corrupted(shares: np.ndarray, image: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Label shares with errors (K, Z, Y, X).

    Surfaces are moved, organs cut, shifted, leaking, scattered or swapped, found elsewhere, or merged with neighbours.
    Each organ of each copy has one kind of error or several, of a random severity.

    Args:
        shares: the annotation (K, Z, Y, X), the background first.
        image: intensities (Z, Y, X), 0 to 1: leaks go where the intensities are those of the organ.
        seed: of the random numbers.
    """
    generator, places = np.random.default_rng(seed), np.random.default_rng(seed + 1000)
    distances = [_signed_distance(organ > 0.5) for organ in shares[1:]]
    body = np.argwhere(image > 0.2)
    for _ in range(COUNT):
        organs = [_worse(distance, image, generator) for distance in distances]
        if generator.random() < 0.1 and len(organs) > 1:
            i, j = generator.choice(len(organs), 2, replace=False)
            organs[i], organs[j] = organs[j], organs[i]
        yield _with_background(_confused(list(_with_background(organs)[1:]), shares, body, places))


def _with_background(organs: Sequence[np.ndarray]) -> np.ndarray:
    """Shares (K, Z, Y, X), the background first, of organs (Z, Y, X) that may overlap."""
    stacked = np.stack(organs)
    stacked /= np.maximum(stacked.sum(0), 1)
    return np.concatenate([1 - stacked.sum(0, keepdims=True), stacked]).astype(np.float32)


def _confused(
    organs: list[np.ndarray], shares: np.ndarray, body: np.ndarray, generator: np.random.Generator
) -> list[np.ndarray]:
    """Organs (Z, Y, X), some found elsewhere, beside their place or instead, and some with a neighbour's voxels.

    Networks that have seen few annotated scans err so: a spleen in the pelvis, a kidney that is part of the liver.

    Args:
        organs: the organs, with other errors.
        shares: the annotation (K, Z, Y, X).
        body: voxels (N, 3) of the body.
        generator: of the random numbers.
    """
    found = list(organs)
    for k, truth in enumerate(shares[1:]):
        chance = generator.random()
        if chance < ELSEWHERE:
            found[k] = _found_elsewhere(found[k], truth, body, generator)
        elif chance < ELSEWHERE + MERGED and (j := int(generator.integers(len(found)))) != k:
            found[k], found[j] = _merged(found[k], found[j], generator)
    return found


def _found_elsewhere(
    organ: np.ndarray, truth: np.ndarray, body: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """An organ (Z, Y, X) that is found at another place in the body, too, or there alone."""
    if not (truth > 0.5).any() or not len(body):
        return organ
    centre = np.argwhere(truth > 0.5).mean(0)
    moved = _moved(truth, np.round(body[generator.integers(len(body))] - centre).astype(int))
    if generator.random() < 0.5:
        return moved
    return np.maximum(organ * (generator.random() < 0.7), moved)


def _merged(organ: np.ndarray, other: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An organ (Z, Y, X) that takes another one, or a part of it; and what is left of the other one."""
    taken = other
    if generator.random() < 0.5 and (taken > 0.5).any():
        taken = taken * (_half_space(taken - 0.5, generator) > 0)
    return np.maximum(organ, taken), other - np.minimum(other, taken)


def _moved(organ: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """An organ (Z, Y, X) shifted by voxels (3,); what leaves the grid is lost."""
    pairs = [
        (slice(max(0, -s), max(0, min(n, n - s))), slice(max(0, s), max(0, min(n, n + s))))
        for s, n in zip(shift, organ.shape, strict=True)
    ]
    result = np.zeros_like(organ)
    result[tuple(there for _, there in pairs)] = organ[tuple(here for here, _ in pairs)]
    return result


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the surface in voxels, positive inside; far away for an empty mask."""
    if not mask.any():
        return np.full(mask.shape, -1e3)
    return distance_transform_edt(mask) - distance_transform_edt(~mask)


def _worse(distance: np.ndarray, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shares (Z, Y, X) of one organ with errors; a surface within half a voxel is soft."""
    severity = generator.random() ** 1.5
    kinds = generator.random(5) < 0.35
    result = distance + generator.normal(0, 1.5 * severity)  # a little too large or too small
    if kinds[0] or not kinds.any():
        result = result + _smooth_noise(distance.shape, generator) * severity * generator.choice([2, 4, 8])
    if kinds[1]:
        result = np.roll(result, tuple(generator.normal(0, 6 * severity, 3).round().astype(int)), (0, 1, 2))
    if kinds[2]:
        result = np.minimum(result, _half_space(result, generator))
    inside = distance > 0
    if kinds[3] and inside.any():
        near = np.abs(image - np.median(image[inside])) < image[inside].std() + 0.02
        reach = severity * generator.choice([4, 10, 30])
        leak = near & (distance > -reach) & (_smooth_noise(distance.shape, generator) > generator.normal(0, 0.7))
        result = np.maximum(result, np.where(leak, 0.5, -1e3))
    if kinds[4]:
        places = np.argwhere(image > 0.2)
        centre = places[generator.integers(len(places))] if len(places) else np.zeros(3)
        grid = np.meshgrid(*(np.arange(n) for n in distance.shape), indexing="ij", sparse=True)
        away = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) ** 0.5
        result = np.maximum(result, generator.uniform(1, 3 + 7 * severity) - away)
    return (result + 0.5).clip(0, 1)


def _smooth_noise(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit standard deviation."""
    noise = gaussian_filter(generator.normal(size=shape), float(generator.choice([1.5, 3.0, 6.0])))
    return noise / (noise.std() + 1e-12)


def _half_space(distance: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Distance to a plane through the organ (Z, Y, X)."""
    places = np.argwhere(distance > 0)
    if not len(places):
        return distance
    normal = generator.normal(size=3)
    normal /= np.linalg.norm(normal)
    through = places[generator.integers(len(places))]
    grid = np.meshgrid(*(np.arange(n) for n in distance.shape), indexing="ij", sparse=True)
    return sum(n * (g - c) for n, g, c in zip(normal, grid, through, strict=True))
