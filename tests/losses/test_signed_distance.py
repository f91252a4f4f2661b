import numpy as np
import pytest
import torch

from mass_nnunet.losses.signed_distance import distance_loss, dual_task_loss, signed_distance


def brute_force(mask: np.ndarray, spacing: tuple) -> np.ndarray:
    """Distance of each voxel to the nearest voxel of the mask that has a face neighbour outside."""
    padded = np.pad(mask, 1, constant_values=True)
    centre = (slice(1, -1),) * 3
    outside = np.zeros_like(mask)
    for axis in range(3):
        for shift in (-1, 1):
            outside |= ~np.roll(padded, shift, axis)[centre]
    surface = np.argwhere(mask & outside) * spacing
    voxels = np.argwhere(np.ones_like(mask)) * spacing
    distance = np.linalg.norm(voxels[:, None] - surface[None], axis=2).min(1).reshape(mask.shape)
    return np.where(mask, -distance / distance[mask].max(), distance / distance[~mask].max())


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 2, 1.5)])
def test_agrees_with_a_search_over_all_voxels(spacing):
    z, y, x = np.indices((8, 12, 12))
    mask = ((z - 3) / 3) ** 2 + ((y - 6) / 5) ** 2 + ((x - 9) / 4) ** 2 < 1  # it leaves the patch
    result = signed_distance(mask, spacing)
    np.testing.assert_allclose(result, brute_force(mask, spacing), atol=1e-6)
    assert result.dtype == np.float32
    assert (result[mask] <= 0).all()
    assert (result[~mask] > 0).all()
    assert (result.min(), result.max()) == (-1, 1)


def test_of_a_slab():
    mask = np.zeros((2, 3, 9), bool)
    mask[..., :5] = True
    np.testing.assert_allclose(signed_distance(mask, (1, 1, 1))[0, 0], [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize(("value", "expected"), [(False, 1), (True, -1)])
def test_of_an_organ_that_is_nowhere_or_everywhere(value, expected):
    assert (signed_distance(np.full((2, 3, 4), value), (1, 1, 1)) == expected).all()


def test_of_an_organ_of_one_voxel():
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    result = signed_distance(mask, (1, 1, 1))
    assert result[1, 1, 1] == 0
    assert result[0, 0, 0] == 1


def test_distance_loss_of_a_constant_difference():
    assert float(distance_loss(torch.full((1, 2, 2, 2, 2), 0.25), torch.full((1, 2, 2, 2, 2), -0.25))) == 0.25


def test_outputs_that_agree_cost_nothing():
    logits = torch.zeros(1, 3, 1, 1, 3)
    logits[0, 1, ..., 0] = logits[0, 2, ..., 1] = logits[0, 0, ..., 2] = 50.0
    distances = torch.full((1, 2, 1, 1, 3), 0.5)
    distances[0, 0, ..., 0] = distances[0, 1, ..., 1] = -0.5
    assert float(dual_task_loss(distances, logits)) == pytest.approx(0, abs=1e-6)
    # All three voxels are wrong by 1 in all but the one organ that neither output has.
    assert float(dual_task_loss(-distances, logits)) == pytest.approx(1, abs=1e-6)


def test_dual_task_loss_on_the_surface_teaches_both_outputs():
    logits = torch.zeros(1, 2, 1, 1, 1, requires_grad=True)
    distances = torch.full((1, 1, 1, 1, 1), 1e-3, requires_grad=True)
    loss = dual_task_loss(distances, logits)
    assert float(loss) == pytest.approx((1 / (1 + np.exp(1.5)) - 0.5) ** 2)
    loss.backward()
    assert float(distances.grad.sum()) > 0  # descent lowers the distance, towards the label's 0.5
    assert float(logits.grad[0, 1].sum()) > 0  # and the organ's probability


def test_a_distance_is_known_where_no_unknown_voxel_can_change_it():
    """Whatever the unknown voxels are, the distances that are told stay, up to their scale."""
    rng = np.random.default_rng(0)
    z, y, x = np.indices((7, 9, 9))
    mask = (z - 3) ** 2 + (y - 4) ** 2 + (x - 4) ** 2 < 9
    unknown = z > 4
    told = signed_distance(mask & ~unknown, (2, 1, 1), unknown)
    known = ~np.isnan(told)
    assert not known[unknown].any() and 0.3 < known.mean() < 0.7
    for _ in range(5):
        possible = np.where(unknown, rng.random(mask.shape) < rng.random(), mask)
        other = signed_distance(possible, (2, 1, 1))
        for side in (mask, ~mask):
            here = known & side & (told != 0)
            ratio = other[here] / told[here]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
        assert not other[known & (told == 0)].any()
    assert np.isnan(signed_distance(np.zeros_like(mask), (2, 1, 1), unknown)).all()


def test_unknown_distances_teach_nothing():
    reference = torch.tensor([0.5, float("nan")]).view(1, 1, 1, 1, 2)
    prediction = torch.zeros(1, 1, 1, 1, 2, requires_grad=True)
    loss = distance_loss(prediction, reference)
    loss.backward()
    assert float(loss) == 0.25
    assert prediction.grad.flatten().tolist() == [-1, 0]
