"""Surfaces and their distances against closed forms, MONAI and google-deepmind/surface-distance."""

import math

import numpy as np
import pytest
import surface_distance
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice
from scipy.ndimage import binary_erosion

from masks import SPACING, blob, box, one_hot
from mass_nnunet.evaluation.surface import element_areas, surface_dice, surface_distances, surface_voxels

TOLERANCES = [0, 0.8, 2, 5]


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_monais(seed):
    a, b = blob(seed), blob(seed) | blob(seed + 10)
    hd, hd95, assd = surface_distances(a, b, SPACING)
    options = {"spacing": SPACING}
    assert hd == pytest.approx(compute_hausdorff_distance(one_hot(a), one_hot(b), **options).item(), rel=1e-5)
    expected = compute_hausdorff_distance(one_hot(a), one_hot(b), percentile=95, **options).item()
    assert hd95 == pytest.approx(expected, rel=1e-5)
    expected = compute_average_surface_distance(one_hot(a), one_hot(b), symmetric=True, **options).item()
    assert assd == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_within_a_voxel_of_surface_distance(seed):
    a = blob(seed)
    b = np.roll(a, (1, 3, 2), (0, 1, 2)) | a
    found = surface_distance.compute_surface_distances(b, a, SPACING)
    voxel = float(np.linalg.norm(SPACING))
    hd, hd95, assd = surface_distances(a, b, SPACING)
    assert hd == pytest.approx(surface_distance.compute_robust_hausdorff(found, 100), abs=voxel)
    assert hd95 == pytest.approx(surface_distance.compute_robust_hausdorff(found, 95), abs=voxel)
    assert assd == pytest.approx(np.mean(surface_distance.compute_average_surface_distance(found)), abs=voxel)


def test_distance_of_a_shifted_plane_is_the_shift_in_millimetres():
    a, b = box((4, 0, 0), (5, 20, 24)), box((7, 0, 0), (8, 20, 24))
    assert surface_distances(a, b, SPACING) == pytest.approx((9.0, 9.0, 9.0))
    assert surface_distances(a, a, SPACING) == (0, 0, 0)


def test_where_the_image_ends_there_is_no_surface():
    """Two organs that the field of view cuts off at slice 0: only their upper ends differ, by 3 slices of 3 mm."""
    a, b = box((0, 0, 0), (5, 20, 24)), box((0, 0, 0), (8, 20, 24))
    assert surface_distances(a, b, SPACING) == pytest.approx((9.0, 9.0, 9.0))
    whole = box((0, 0, 0), (12, 20, 24))
    assert surface_distances(a, whole, SPACING) == (math.inf,) * 3  # no surface at all


def test_distances_of_empty_masks():
    a, nothing = box((2, 2, 2), (6, 8, 8)), np.zeros((12, 20, 24), bool)
    assert surface_distances(a, nothing, SPACING) == (math.inf,) * 3
    assert surface_distances(nothing, a, SPACING) == (math.inf,) * 3
    assert all(math.isnan(value) for value in surface_distances(nothing, nothing, SPACING))


def test_surface_is_what_an_erosion_takes_away():
    mask = blob(0) | box((0, 0, 0), (5, 9, 9), shape=(16, 32, 32))
    assert np.array_equal(surface_voxels(mask), mask & ~binary_erosion(mask, border_value=1))


@pytest.mark.parametrize("spacing", [SPACING, (8.0, 1.9, 1.9), (1.0, 1.0, 1.0)])
def test_surface_dice_is_that_of_surface_distance(spacing):
    for seed in range(3):
        a, b = blob(seed), blob(seed) & blob(seed + 10) | box((5, 9, 9), (9, 20, 20), (16, 32, 32))
        found = surface_distance.compute_surface_distances(b, a, spacing)
        expected = [surface_distance.compute_surface_dice_at_tolerance(found, tolerance) for tolerance in TOLERANCES]
        assert surface_dice(a, b, spacing, TOLERANCES) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_surface_dice_is_monais_with_subvoxels(seed):
    a, b = blob(seed), blob(seed) | blob(seed + 10)
    for tolerance, ours in zip(TOLERANCES, surface_dice(a, b, SPACING, TOLERANCES), strict=True):
        theirs = compute_surface_dice(one_hot(a), one_hot(b), [tolerance], spacing=SPACING, use_subvoxels=True)
        assert ours == pytest.approx(theirs.item(), abs=1e-5)


def test_areas_of_one_voxel_and_of_a_plane():
    """One voxel: the triangle through the middles of the corner's edges. Four voxels on one side: the face between."""
    z, y, x = SPACING
    edges = np.diff([(z / 2, 0, 0), (0, y / 2, 0), (0, 0, x / 2)], axis=0)
    areas = element_areas(SPACING)
    assert areas[0] == areas[255] == 0
    assert areas[1] == areas[254] == pytest.approx(np.linalg.norm(np.cross(*edges)) / 2)
    assert areas[0b00001111] == pytest.approx(y * x)
    assert areas[0b01010101] == pytest.approx(z * y)
    assert areas == pytest.approx(areas[::-1])


def test_surface_dice_of_planes_is_the_share_within_the_tolerance():
    """Slabs that share their lower surface; the upper ones are 9 mm apart, of three slices of 3 mm."""
    a, b = box((2, 0, 0), (5, 20, 24)), box((2, 0, 0), (8, 20, 24))
    assert surface_dice(a, b, SPACING, [2, 8.9, 9, 20]) == pytest.approx([0.5, 0.5, 1, 1])


def test_distance_of_whole_voxels_is_within_a_tolerance_that_the_header_rounds():
    spacing = (float(np.float32(0.7)) + 1e-7, 1.0, 1.0)
    a, b = box((0, 0, 0), (5, 20, 24)), box((0, 0, 0), (8, 20, 24))
    assert surface_dice(a, b, spacing, [2.1]) == [1]
    assert surface_dice(a, b, spacing, [2.09]) == [0]


def test_surface_dice_where_the_image_ends_or_has_one_slice():
    """No surface at the ends; the sides of one slice count, as those of several."""
    a, b = box((0, 0, 0), (5, 20, 24)), box((0, 0, 0), (6, 20, 24))
    assert surface_dice(a, b, SPACING, [2.9, 3]) == [0, 1]
    a, b = box((0, 5, 0), (1, 20, 24), (1, 20, 24)), box((0, 7, 0), (1, 20, 24), (1, 20, 24))
    assert surface_dice(a, b, SPACING, [2.9, 3]) == [0, 1]


def test_surface_dice_of_empty_masks():
    a, nothing = box((2, 2, 2), (6, 8, 8)), np.zeros((12, 20, 24), bool)
    assert surface_dice(a, nothing, SPACING, [2, 9]) == surface_dice(nothing, a, SPACING, [2, 9]) == [0, 0]
    assert all(math.isnan(value) for value in surface_dice(nothing, nothing, SPACING, [2, 9]))
    assert math.isnan(surface_dice(~nothing, ~nothing, SPACING, [2])[0])  # no surface at all
