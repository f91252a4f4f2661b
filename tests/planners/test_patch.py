"""planners/patch.py: the default patch, nnU-Net's rules for smaller ones, and what fits into a memory."""

import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.planners.patch import (
    MIN_STAGES,
    VOXELS,
    check_patch,
    default_patch,
    smaller_patch,
    topology,
    within_memory,
)

# Extents in mm: (100, 200, 300), (200, 200, 300), (300, 260, 300).
CT = {
    "shapes_after_crop": [[20, 100, 150], [40, 100, 100], [60, 130, 300]],
    "spacings": [[5, 2, 2], [5, 2, 3], [5, 2, 1]],
}
MRI = {"shapes_after_crop": [[30, 100, 100]], "spacings": [[8.0, 2.0, 4.0]]}


def scans(shape, spacing):
    return {"shapes_after_crop": [shape] * 3, "spacings": [spacing] * 3}


def test_topology_of_the_default_patch():
    """Six stages and more by nnU-Net's rules: thick slices are halved last."""
    strides, kernels, padded, multiples = topology([7.0, 1.4, 1.4], [32, 256, 256])
    assert padded == (32, 256, 256) and multiples == (8, 64, 64)
    assert strides[:3] == ((1, 1, 1), (1, 2, 2), (1, 2, 2)) and np.prod(strides, axis=0).tolist() == [8, 64, 64]
    assert kernels[0] == (1, 3, 3) and kernels[-1] == (3, 3, 3)


@pytest.mark.parametrize(
    ("patch", "valid"),
    [([30, 250, 256], "32 256 256"), ([4, 4, 4], "16 16 16"), ([8, 8, 8], "16 16 16"), ([0, 64, 64], "1 64 64")],
)
def test_a_patch_that_would_be_padded_is_refused_with_the_next_one(patch, valid):
    asked = " ".join(map(str, patch))
    with pytest.raises(UserError, match=f"--patch-size {asked} .* use {valid}$"):
        check_patch([CT, MRI], patch, "fit")
    check_patch([CT, MRI], [int(size) for size in valid.split()], "fit")


@pytest.mark.parametrize("patch", [[32, 256, 256], [16, 64, 64], [40, 96, 96], [128, 256, 256]])
def test_valid_patches_pass(patch):
    check_patch([CT, MRI], patch, "fit")


def test_a_patch_is_checked_at_the_spacing_of_the_rule():
    """At 5 x 2 x 2 mm the network pools z less often than y and x, at 2 x 2 x 2 mm as often."""
    check_patch([CT, MRI], [40, 96, 96], "native")
    check_patch([CT, MRI], [20, 64, 64], (5.0, 2.0, 2.0))
    with pytest.raises(UserError, match="--patch-size 36 64 64 is not what the network's strides divide: use 40 64 64"):
        check_patch([CT, MRI], [36, 64, 64], (2.0, 2.0, 2.0))


THIN = scans([500, 600, 600], [0.5, 0.4, 0.4])


@pytest.mark.parametrize(
    ("group", "patch"),
    [
        ([scans([100, 512, 512], [5.0, 0.8, 0.8]), scans([32, 256, 256], [7.7, 1.25, 1.25])], [32, 256, 256]),
        ([scans([40, 300, 300], [3.0, 1.0, 1.0])], [32, 256, 256]),  # three times as coarse: nnU-Net's threshold
        ([scans([256, 40, 256], [1.2, 8.0, 1.2])], [256, 32, 256]),  # coronal slices
    ],
)
def test_default_patch_of_thick_slices(group, patch):
    assert default_patch(group, "native") == patch
    assert default_patch(group, "fit") == [32, 256, 256]


def test_default_patch_with_fit_or_a_given_spacing():
    assert default_patch([THIN], "fit") == [32, 256, 256]
    assert default_patch([THIN], (5.0, 1.0, 1.0)) == [32, 256, 256]
    assert default_patch([THIN], (1.0, 1.0, 1.0)) != [32, 256, 256]


def test_default_patch_of_thin_slices_has_as_many_voxels_and_the_aspect_of_the_grid():
    patch = np.array(default_patch([THIN], "native"))
    assert 0.7 * VOXELS <= patch.prod() <= VOXELS
    extent = patch * [0.5, 0.4, 0.4]
    assert extent.max() / extent.min() < 1.3
    assert list(topology([0.5, 0.4, 0.4], patch).patch) == patch.tolist()


def test_default_patch_is_no_longer_than_the_typical_scan():
    """But for the padding to a multiple of the strides; the partner with the longer scans decides."""
    flat = scans([22, 200, 210], [1.0, 0.8, 0.8])
    assert default_patch([flat], "native") == [24, 224, 224]
    assert default_patch([flat, scans([400, 500, 500], [1.0, 0.8, 0.8])], "native")[0] > 64


def test_default_patch_of_tiny_scans_is_deep_enough_for_the_network():
    patch = default_patch([scans([9, 10, 11], [1.0, 1.0, 1.0])], "native")
    assert patch == [16, 16, 16]
    assert len(topology([1.0, 1.0, 1.0], patch).strides) == MIN_STAGES


def test_default_patch_is_that_of_nnunet_at_the_same_number_of_voxels():
    """nnU-Net makes a patch smaller until its memory fits. It stops at the same sizes."""
    seen, patch = [], [256, 256, 256]
    while patch is not None:
        seen.append(patch)
        patch = smaller_patch(patch, [1.0, 1.0, 1.0], [400, 400, 400])
    expected = next(size for size in seen if np.prod(size) <= VOXELS)
    assert default_patch([scans([400, 400, 400], [1.0, 1.0, 1.0])], "native") == expected
    assert expected == [128, 128, 128]


def test_a_patch_gets_smaller_along_the_edge_that_is_longest_in_the_typical_scan():
    assert smaller_patch([32, 256, 256], [5.0, 1.0, 1.0], [64, 512, 256]) == [32, 256, 224]
    assert smaller_patch([32, 256, 256], [5.0, 1.0, 1.0], [32, 512, 512]) == [28, 256, 256]
    # 256 = 4 x 64 is divided six times, 224 = 7 x 32 five times.
    assert topology([1.0] * 3, [256] * 3).multiples == (64, 64, 64)
    assert smaller_patch([256] * 3, [1.0] * 3, [500, 500, 400]) == [256, 256, 224]


@pytest.mark.parametrize(
    ("spacing", "shape", "patch"),
    [
        ([1.0, 1.0, 1.0], [100, 100, 100], [64, 64, 64]),
        ([5.0, 1.0, 1.0], [64, 512, 256], [32, 64, 64]),
        ([0.7, 2.1, 9.0], [300, 70, 20], [96, 48, 16]),
        # nnU-Net's own loop does not end here: its padding undoes each step.
        ([0.6922213, 9.90823619, 6.64244362], [286, 48, 574], [32, 6, 74]),
    ],
)
def test_smaller_patches_end_and_are_valid(spacing, shape, patch):
    patch = list(topology(spacing, patch).patch)
    count = 0
    while (smaller := smaller_patch(patch, spacing, shape)) is not None:
        assert np.prod(smaller) < np.prod(patch)
        assert list(topology(spacing, smaller).patch) == smaller
        assert len(topology(spacing, smaller).strides) >= MIN_STAGES
        patch, count = smaller, count + 1
    assert count > 3


def halved(patch):
    return [size // 2 for size in patch] if min(patch) > 16 else None


def voxels_and_batch(patch, batch):
    return float(np.prod(patch) * batch)


@pytest.mark.parametrize(
    ("gigabytes", "expected"),
    [
        (4 * 64**3, ([64] * 3, 4)),  # all fits
        (3.5 * 64**3, ([64] * 3, 3)),  # the batch gets smaller before the patch
        (2 * 64**3, ([64] * 3, 2)),
        (1.9 * 64**3, ([32] * 3, 4)),  # a batch of 2 decides on the patch, what is left on the batch
        (2 * 16**3, ([16] * 3, 2)),
    ],
)
def test_patch_and_batch_within_a_memory(gigabytes, expected):
    assert within_memory(gigabytes, [64] * 3, 4, estimate=voxels_and_batch, smaller=halved) == expected


def test_a_batch_of_one_is_the_users_own():
    assert within_memory(64**3, [64] * 3, 1, estimate=voxels_and_batch, smaller=halved) == ([64] * 3, 1)


def test_too_little_memory_is_one_line():
    with pytest.raises(UserError) as refused:
        within_memory(16**3, [64] * 3, 4, estimate=voxels_and_batch, smaller=halved)
    told = "a patch of 16 x 16 x 16 voxels and a batch of 2 take about 8192.0 GB, and 4096 GB are given"
    assert str(refused.value).startswith(told)
