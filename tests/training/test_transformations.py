import math

import pytest
import torch

from mass_nnunet.training.transformations import sample_transformations, shown, transform

QUARTER = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
ABOUT_X = torch.diag(torch.tensor([-1.0, -1, 1]))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turns_move_voxels_and_change_no_value(turns):
    volume = torch.randn(2, 2, 4, 6, 6)
    about_z = torch.matrix_power(QUARTER, turns)
    turned = volume.rot90(-turns, (3, 4))
    result = transform(volume, torch.stack([about_z, about_z @ ABOUT_X]))
    torch.testing.assert_close(result, torch.stack([turned[0], turned[1].flip(1, 2)]), atol=1e-5, rtol=0)


def test_scaling_is_about_the_centre():
    ramp = torch.arange(9.0).expand(1, 1, 4, 9, 9)
    enlarged = transform(ramp, torch.eye(3)[None] / 1.1)
    torch.testing.assert_close(enlarged[0, 0, 1, 4], 4 + (torch.arange(9.0) - 4) / 1.1, atol=1e-5, rtol=0)


def test_turns_about_z_of_at_most_30_degrees_and_scalings_are_sampled():
    torch.manual_seed(0)
    matrices = sample_transformations(400, torch.device("cpu"))
    scales = 1 / torch.linalg.det(matrices).pow(1 / 3)  # of a mirror image the determinant is negative
    assert 0.9 <= scales.min() < 0.91
    assert 1.09 < scales.max() <= 1.1
    rotations = matrices * scales[:, None, None]
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(400, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(rotations[:, 0], torch.eye(3)[:1].expand(400, 3), atol=1e-5, rtol=0)
    angles = torch.atan2(rotations[:, 2, 1], rotations[:, 1, 1]) * 180 / math.pi
    assert -30.01 <= angles.min() < -29
    assert 29 < angles.max() <= 30.01


def test_what_is_shown_comes_from_inside_of_the_patch():
    """A patch of ones beyond whose border there is nothing; a corner turns out of it, the middle does not."""
    eighth = torch.eye(3)[None].clone()
    eighth[:, 1:, 1:] = torch.tensor([[1.0, -1], [1, 1]]) / math.sqrt(2)
    seen = shown((2, 9, 9), eighth)
    assert seen.shape == (1, 1, 2, 9, 9)
    index = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")) - 4
    source = torch.einsum("ij,jyx->iyx", eighth[0, 1:, 1:], index)
    assert torch.equal(seen[0, 0, 0], (source.abs() < 4.5).all(0))
    assert not seen[0, 0, 0, 0, 0]
    assert seen[0, 0, 0, 4, 4]
    assert shown((2, 9, 9), torch.eye(3)[None]).all()


def test_probabilities_still_sum_to_one_and_pass_the_gradient_on():
    logits = torch.randn(3, 4, 4, 6, 6, requires_grad=True)
    result = transform(logits.softmax(1), sample_transformations(3, torch.device("cpu")))
    torch.testing.assert_close(result.sum(1), torch.ones(3, 4, 6, 6))
    result[:, 0].sum().backward()
    assert (logits.grad.abs().sum(1) > 0).float().mean() > 0.9
