import pytest
import torch

from mass_nnunet.losses.deformation import diffusion_loss, folding_penalty
from mass_nnunet.registration.fields import jacobian_determinant


def test_smoothness_of_a_linear_field_is_its_slope_squared():
    z = torch.arange(6, dtype=torch.float32).view(1, 1, 6, 1, 1)
    field = torch.zeros(1, 3, 6, 6, 6)
    field[:, :1] += 0.5 * z
    # One of three components changes, along one of three axes.
    assert float(diffusion_loss(field)) == pytest.approx(0.25 / 9)
    assert float(diffusion_loss(torch.ones(1, 3, 4, 4, 4))) == 0


def test_folding_penalty_of_a_mirrored_half():
    field = torch.zeros(1, 3, 4, 4, 9)
    field[:, 2, ..., 4:] = -2 * torch.arange(5)  # along x the first four steps stay, the other four are turned over
    determinant = jacobian_determinant(field)
    # At the seam, too, the step is 1; then it is -1, and 1.1 is lacking at four of eight places.
    assert float(folding_penalty(determinant, 0.1)) == pytest.approx(1.1 * 4 / 8)
    assert float(folding_penalty(jacobian_determinant(0 * field), 0.1)) == 0


def test_folding_penalty_pushes_a_folded_field_open():
    field = torch.zeros(1, 3, 4, 4, 4)
    field[:, 2, 1, 1, 2] = -1.5
    field.requires_grad_()
    folding_penalty(jacobian_determinant(field)).backward()
    assert field.grad[0, 2, 1, 1, 2] < 0  # descent moves it back up
    assert float(folding_penalty(jacobian_determinant((field - field.grad * 0.1).detach()))) < float(
        folding_penalty(jacobian_determinant(field.detach()))
    )
