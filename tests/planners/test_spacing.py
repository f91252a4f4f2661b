"""planners/spacing.py, against numbers worked out by hand."""

import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.planners.spacing import (
    check_patch,
    group_spacing,
    share_that_fits,
    spacing_rule,
    stock_spacing,
    tiles,
    topology,
    typical_extent,
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
    np.testing.assert_allclose(group_spacing([CT, MRI], [40, 100, 100]), [240 / 40, 200 / 100, 400 / 100])


def test_share_of_scans_that_fit():
    spacing = group_spacing([CT, MRI], [40, 100, 100])
    assert share_that_fits(CT, spacing, [40, 100, 100]) == pytest.approx(2 / 3)  # the last is 260 mm deep: 130 voxels
    assert share_that_fits(MRI, spacing, [40, 100, 100]) == 1


def test_topology_of_the_default_patch():
    """Six stages and more by nnU-Net's rules: thick slices are halved last."""
    strides, kernels, padded = topology([7.0, 1.4, 1.4], [32, 256, 256])
    assert padded == (32, 256, 256)
    assert strides[:3] == ((1, 1, 1), (1, 2, 2), (1, 2, 2)) and np.prod(strides, axis=0).tolist() == [8, 64, 64]
    assert kernels[0] == (1, 3, 3) and kernels[-1] == (3, 3, 3)


@pytest.mark.parametrize(
    ("patch", "valid"),
    [([30, 250, 256], "32 256 256"), ([4, 4, 4], "16 16 16"), ([8, 8, 8], "16 16 16"), ([0, 64, 64], "1 64 64")],
)
def test_a_patch_that_would_be_padded_is_refused_with_the_next_one(patch, valid):
    asked = " ".join(map(str, patch))
    with pytest.raises(UserError, match=f"--patch-size {asked} .* use {valid}$"):
        check_patch([CT, MRI], patch)
    check_patch([CT, MRI], [int(size) for size in valid.split()])


@pytest.mark.parametrize("patch", [[32, 256, 256], [16, 64, 64], [40, 96, 96], [128, 256, 256]])
def test_valid_patches_pass(patch):
    check_patch([CT, MRI], patch)


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


def test_a_patch_is_checked_at_the_spacing_of_the_rule():
    """At 5 x 2 x 2 mm the network pools z less often than y and x, at 2 x 2 x 2 mm as often."""
    check_patch([CT, MRI], [40, 96, 96], "native")
    check_patch([CT, MRI], [20, 64, 64], (5.0, 2.0, 2.0))
    with pytest.raises(UserError, match="--patch-size 36 64 64 is not what the network's strides divide: use 40 64 64"):
        check_patch([CT, MRI], [36, 64, 64], (2.0, 2.0, 2.0))


def test_tiles_of_the_sliding_window():
    """Steps of half a patch: a scan of 1, 1.5, 1.6 or 2 patches takes 1, 2, 3 or 3 tiles along that axis."""
    scans = {"shapes_after_crop": [[10, 20, 20], [5, 20, 7], [15, 20, 20], [16, 40, 20]], "spacings": [[2, 1, 1]] * 4}
    assert tiles(scans, np.array([2, 1, 1]), [10, 20, 20]) == [1, 1, 2, 9]
    assert tiles(scans, np.array([4, 2, 2]), [10, 20, 20]) == [1, 1, 1, 1]
