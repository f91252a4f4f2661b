import pytest
import torch

from mass_nnunet.training.transformations import sample_transformations, transform

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


def test_all_turns_that_keep_the_sides_and_scalings_are_sampled():
    torch.manual_seed(0)
    matrices = sample_transformations(400, (4, 6, 6))
    scales = 1 / torch.linalg.det(matrices).pow(1 / 3)  # of a mirror image the determinant is negative
    assert 0.9 <= scales.min() < 0.91
    assert 1.09 < scales.max() <= 1.1
    turns = (matrices * scales[:, None, None]).round()
    assert len(turns.unique(dim=0)) == 8
    torch.testing.assert_close(matrices * scales[:, None, None], turns)


def test_a_patch_that_is_not_square_keeps_its_shape():
    torch.manual_seed(0)
    matrices = sample_transformations(50, (4, 6, 8))
    assert (matrices[:, 1, 2] == 0).all()
    assert transform(torch.rand(50, 1, 4, 6, 8), matrices).shape == (50, 1, 4, 6, 8)


def test_probabilities_still_sum_to_one_and_pass_the_gradient_on():
    logits = torch.randn(3, 4, 4, 6, 6, requires_grad=True)
    result = transform(logits.softmax(1), sample_transformations(3, (4, 6, 6)))
    torch.testing.assert_close(result.sum(1), torch.ones(3, 4, 6, 6))
    result[:, 0].sum().backward()
    assert (logits.grad.abs().sum(1) > 0).float().mean() > 0.9
