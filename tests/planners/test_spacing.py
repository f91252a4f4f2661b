"""planners/spacing.py, against numbers worked out by hand."""

import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.planners.spacing import check_patch, group_spacing, share_that_fits, topology, typical_extent

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
