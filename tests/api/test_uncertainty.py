"""Entropy, disagreement and expected Dice against closed forms."""

import numpy as np
import pytest

from mass_nnunet.api.uncertainty import Uncertainty, disagreement, entropy, expected_dice


def voxels(*probabilities):
    """Class probabilities (K, 1, 1, N)."""
    return np.array(probabilities, np.float32).T[:, None, None, :]


def test_entropy_is_one_without_any_idea_and_zero_for_certain():
    found = entropy(voxels([0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]))
    np.testing.assert_allclose(found.ravel(), [1, 0, 0.5], atol=1e-5)


def test_disagreement_is_one_for_certain_and_different_branches():
    one, other = voxels([1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]), voxels([0, 1, 0], [0.5, 0.5, 0], [1, 0, 0])
    np.testing.assert_allclose(disagreement([one, other]).ravel(), [1, 0, 0], atol=1e-5)
    assert not disagreement({"head": one}).any()
    with pytest.raises(ValueError, match="no probabilities"):
        disagreement([])


def test_expected_dice():
    mask = np.array([[[True, True, False]]])
    assert expected_dice(mask.astype(np.float32), mask) == 1
    assert expected_dice(np.array([[[0.5, 0.5, 0.0]]]), mask) == pytest.approx(2 / 3)
    assert expected_dice(np.zeros((1, 1, 3)), np.zeros((1, 1, 3), bool)) == 1
    assert expected_dice(np.array([[[0, 0, 1.0]]]), mask) == 0


def test_a_scan_counts_its_uncertainty_for_each_organ_voxel():
    probabilities = voxels([0.5, 0.5], [0, 1], [0, 1])
    found = Uncertainty(entropy(probabilities), np.zeros((1, 1, 3)), probabilities, (1.0, 1.0, 1.0))
    assert found.scan_entropy == pytest.approx(1 / 3.5, abs=1e-4)
    assert found.scan_disagreement == 0
    assert found.expected_dice.tolist() == pytest.approx([2 * 2.0 / 4.5])
