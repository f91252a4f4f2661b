"""planners/spacing.py, against numbers worked out by hand."""

import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.planners.spacing import (
    group_spacing,
    share_that_fits,
    spacing_rule,
    stock_spacing,
    tiles,
    typical_extent,
    typical_shape,
)

# Extents in mm: (100, 200, 300), (200, 200, 300), (300, 260, 300).
CT = {
    "shapes_after_crop": [[20, 100, 150], [40, 100, 100], [60, 130, 300]],
    "spacings": [[5, 2, 2], [5, 2, 3], [5, 2, 1]],
}
MRI = {"shapes_after_crop": [[30, 100, 100]], "spacings": [[8.0, 2.0, 4.0]]}


def test_typical_extent_is_the_median_in_mm():
    np.testing.assert_allclose(typical_extent(CT), [200, 200, 300])


def test_spacing_lets_the_larger_dataset_fill_the_patch_on_each_axis():
    np.testing.assert_allclose(group_spacing([CT, MRI], [40, 100, 100], "fit"), [240 / 40, 200 / 100, 400 / 100])


def test_share_of_scans_that_fit():
    spacing = group_spacing([CT, MRI], [40, 100, 100], "fit")
    assert share_that_fits(CT, spacing, [40, 100, 100]) == pytest.approx(2 / 3)  # the last is 260 mm deep: 130 voxels
    assert share_that_fits(MRI, spacing, [40, 100, 100]) == 1


@pytest.mark.parametrize(
    ("words", "rule"), [(["fit"], "fit"), (["native"], "native"), (["5", "1.25", "0.8"], (5.0, 1.25, 0.8))]
)
def test_values_of_the_option(words, rule):
    assert spacing_rule(words) == rule


@pytest.mark.parametrize(
    "words",
    [
        ["stock"],
        ["fit", "native"],
        ["5"],
        ["5", "2"],
        ["5", "2", "2", "2"],
        ["5", "2", "wide"],
        ["native", "2", "2"],
        ["0", "2", "2"],
        ["5", "-2", "2"],
        ["5", "nan", "2"],
        ["inf", "2", "2"],
        ["0.001", "2", "2"],
        ["5000", "2", "2"],
    ],
)
def test_other_values_are_refused_in_one_line(words):
    with pytest.raises(UserError) as refused:
        spacing_rule(words)
    assert str(refused.value).startswith(f"--spacing {' '.join(words)} is none of: fit, native, or three lengths Z Y X")
    assert "\n" not in str(refused.value)


def test_stock_takes_the_median_and_of_thick_slices_the_tenth_percentile():
    thick = {"shapes_after_crop": [[20, 200, 200]] * 3, "spacings": [[4, 1, 1], [8, 1, 1.5], [9, 2, 1.5]]}
    np.testing.assert_allclose(stock_spacing(thick), [4 + 0.2 * 4, 1, 1.5])
    # The same scans with their slices along x: nnU-Net transposes later, so the spacing keeps the axes of the scans.
    turned = {key: [row[::-1] for row in rows] for key, rows in thick.items()}
    np.testing.assert_allclose(stock_spacing(turned), [1.5, 1, 4 + 0.2 * 4])


def test_native_is_along_each_axis_as_fine_as_the_finest_dataset_with_stock():
    np.testing.assert_allclose(stock_spacing(CT), [5, 2, 2])
    np.testing.assert_allclose(stock_spacing(MRI), [8, 2, 4])
    np.testing.assert_allclose(group_spacing([CT, MRI], [40, 100, 100], "native"), [5, 2, 2])
    np.testing.assert_allclose(group_spacing([MRI], [32, 256, 256], "native"), [8, 2, 4])


def test_a_given_spacing_is_taken_as_it_is():
    np.testing.assert_array_equal(group_spacing([CT, MRI], [40, 100, 100], (7.7, 3.6, 3.5)), [7.7, 3.6, 3.5])


def test_tiles_of_the_sliding_window():
    """Steps of half a patch: a scan of 1, 1.5, 1.6 or 2 patches takes 1, 2, 3 or 3 tiles along that axis."""
    scans = {"shapes_after_crop": [[10, 20, 20], [5, 20, 7], [15, 20, 20], [16, 40, 20]], "spacings": [[2, 1, 1]] * 4}
    assert tiles(scans, np.array([2, 1, 1]), [10, 20, 20]) == [1, 1, 2, 9]
    assert tiles(scans, np.array([4, 2, 2]), [10, 20, 20]) == [1, 1, 1, 1]


def test_typical_shape_is_along_each_axis_that_of_the_dataset_with_the_larger_scans():
    """The CTs have 40 x 100 x 150 voxels in the middle, the MRI 48 x 100 x 200."""
    np.testing.assert_array_equal(typical_shape([CT], np.array([5, 2, 2])), [40, 100, 150])
    np.testing.assert_array_equal(typical_shape([CT, MRI], np.array([5, 2, 2])), [48, 100, 200])


@pytest.mark.parametrize(
    "geometries",
    [
        [((100, 512, 512), (5.0, 0.8, 0.8)), ((32, 256, 256), (7.7, 1.25, 1.25))],  # abdomen
        [((170, 512, 512), (0.5, 0.43, 0.43)), ((150, 300, 300), (1.4, 1.0, 1.0))],  # heart, both nearly isotropic
        [((12, 300, 300), (8.0, 1.2, 1.2)), ((160, 200, 200), (0.9, 1.0, 1.1))],  # thick slices beside thin ones
    ],
)
def test_native_never_makes_the_finest_axis_the_coarsest(geometries):
    """Scans whose slices lie along different axes are refused (test_group.py); in others no axis becomes coarser."""
    fingerprints = [{"shapes_after_crop": [shape] * 3, "spacings": [step] * 3} for shape, step in geometries]
    grid = group_spacing(fingerprints, [32, 256, 256], "native")
    for _, step in geometries:
        assert np.all(grid <= np.array(step))
        finest = [axis for axis in range(3) if step[axis] == min(step)]
        assert min(grid[axis] for axis in finest) < 1.2 * grid.min(), "what is finest stays about as fine as any"
