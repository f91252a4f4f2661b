import math

import pytest
import torch
from monai.losses import DiceLoss

from mass_nnunet import losses
from mass_nnunet.registration import jacobian_determinant

SHAPE = (6, 8, 8)


def probabilities(seed: int, classes: int = 4) -> torch.Tensor:
    return torch.randn(2, classes, *SHAPE, generator=torch.Generator().manual_seed(seed)).softmax(1)


def test_dice_agrees_with_monai():
    p, q = probabilities(0), probabilities(1)
    expected = DiceLoss(include_background=False, smooth_nr=1e-5, smooth_dr=1e-5)(p, q)
    torch.testing.assert_close(losses.soft_dice_loss(p, q), expected)


def test_dice_of_half_a_box():
    p, q = torch.zeros(1, 2, 4, 4, 4), torch.zeros(1, 2, 4, 4, 4)
    p[:, 1, :2], q[:, 1] = 1, 1
    assert float(losses.soft_dice_loss(p, q)) == pytest.approx(1 - 2 * 32 / (32 + 64), abs=1e-5)
    assert float(losses.soft_dice(p, q, mask=q[:, 1:] * 0 + p[:, 1:])) == pytest.approx(1)


def test_a_class_in_neither_costs_nothing():
    empty = torch.zeros(1, 2, 4, 4, 4)
    assert float(losses.soft_dice_loss(empty, empty)) == 0


def test_smoothness_of_a_linear_field_is_its_slope_squared():
    z = torch.arange(6, dtype=torch.float32).view(1, 1, 6, 1, 1)
    field = torch.zeros(1, 3, 6, 6, 6)
    field[:, :1] += 0.5 * z
    # One of three components changes, along one of three axes.
    assert float(losses.diffusion_loss(field)) == pytest.approx(0.25 / 9)
    assert float(losses.diffusion_loss(torch.ones(1, 3, 4, 4, 4))) == 0


def test_unfolding_of_a_mirrored_half():
    field = torch.zeros(1, 3, 4, 4, 9)
    field[:, 2, ..., 4:] = -2 * torch.arange(5)  # along x the first four steps stay, the other four are turned over
    determinant = jacobian_determinant(field)
    # At the seam, too, the step is 1; then it is -1, and 1.1 is lacking at four of eight places.
    assert float(losses.unfolding_loss(determinant, 0.1)) == pytest.approx(1.1 * 4 / 8)
    assert float(losses.unfolding_loss(jacobian_determinant(0 * field), 0.1)) == 0


def test_unfolding_pushes_a_folded_field_open():
    field = torch.zeros(1, 3, 4, 4, 4)
    field[:, 2, 1, 1, 2] = -1.5
    field.requires_grad_()
    losses.unfolding_loss(jacobian_determinant(field)).backward()
    assert field.grad[0, 2, 1, 1, 2] < 0  # descent moves it back up
    assert float(losses.unfolding_loss(jacobian_determinant((field - field.grad * 0.1).detach()))) < float(
        losses.unfolding_loss(jacobian_determinant(field.detach()))
    )


def test_channel_contrast_of_orthogonal_channels():
    channels = 4
    basis = torch.zeros(1, channels, 1, 2, 4)
    hadamard = torch.tensor([[1, 1], [1, -1]])
    for _ in range(2):
        hadamard = torch.kron(hadamard, torch.tensor([[1, 1], [1, -1]]))
    basis[0] = hadamard[1 : channels + 1].reshape(channels, 1, 2, 4)  # centred and orthogonal
    matched = float(losses.channel_contrast_loss(basis, 5 * basis + 2, temperature=0.1))
    assert matched == pytest.approx(math.log(1 + (channels - 1) * math.exp(-10)), abs=1e-6)
    shuffled = float(losses.channel_contrast_loss(basis, basis.roll(1, dims=1), temperature=0.1))
    assert shuffled == pytest.approx(10 + math.log(1 + (channels - 1) * math.exp(-10)), abs=1e-4)


def test_feature_mse_of_opposite_channels():
    features = torch.randn(2, 3, *SHAPE)
    assert float(losses.feature_mse_loss(features, 2 * features + 1)) == pytest.approx(0, abs=1e-4)
    # Standardized, a channel and its negative are 2 standard deviations apart: the mean of (2 a)^2 is 4.
    assert float(losses.feature_mse_loss(features, -features)) == pytest.approx(4, abs=1e-3)


def test_feature_kl_against_torch_distributions():
    a, b = torch.randn(1, 2, *SHAPE), torch.randn(1, 2, *SHAPE)
    assert float(losses.feature_kl_loss(a, 3 * a)) == pytest.approx(0, abs=1e-4)

    def distribution(x: torch.Tensor) -> torch.distributions.Categorical:
        flat = x.flatten(2)
        return torch.distributions.Categorical(
            logits=(flat - flat.mean(2, keepdim=True)) / flat.std(2, False, keepdim=True)
        )

    kl = torch.distributions.kl_divergence
    expected = (kl(distribution(a), distribution(b)).mean() + kl(distribution(b), distribution(a)).mean()) / 2
    torch.testing.assert_close(losses.feature_kl_loss(a, b), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", [losses.channel_contrast_loss, losses.feature_mse_loss, losses.feature_kl_loss])
def test_features_are_compared_in_full_precision_within_autocast(loss):
    a, b = torch.randn(1, 4, *SHAPE), torch.randn(1, 4, *SHAPE)
    with torch.autocast("cpu", torch.float16):  # as nnU-Net computes losses on CUDA
        within = loss(a, b)
    assert within.item() == loss(a, b).item()


def test_pseudo_labels_count_only_where_they_are_confident():
    logits = torch.randn(1, 3, *SHAPE, requires_grad=True)
    label = torch.randint(0, 3, (1, *SHAPE))
    confident = torch.zeros(1, *SHAPE, dtype=torch.bool)
    nothing = losses.confident_label_loss(logits, label, confident)
    nothing.backward()
    assert nothing.item() == 0
    assert float(logits.grad.abs().sum()) == 0
    confident[:, 2, 3, 4] = True
    logits.grad = None
    losses.confident_label_loss(logits, label, confident).backward()
    assert (logits.grad.abs().sum(1) > 0).nonzero().tolist() == [[0, 2, 3, 4]]


def test_pseudo_label_loss_is_cross_entropy_and_dice():
    logits, label = torch.randn(1, 3, *SHAPE), torch.randint(0, 3, (1, *SHAPE))
    everywhere = torch.ones(1, *SHAPE, dtype=torch.bool)
    dice = losses.soft_dice_loss(logits.softmax(1), losses.one_hot(label[:, None], 3))
    expected = torch.nn.functional.cross_entropy(logits, label) + dice
    torch.testing.assert_close(losses.confident_label_loss(logits, label, everywhere), expected)


def test_a_class_that_the_pseudo_label_lacks_is_not_taught_away_by_dice():
    label = torch.zeros(1, *SHAPE, dtype=torch.long)
    label[:, 3:] = 1  # class 2 is absent
    logits = torch.nn.functional.one_hot(label, 3).movedim(-1, 1) * 20.0
    assert float(losses.confident_label_loss(logits, label, label >= 0)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(("progress", "expected"), [(0, math.exp(-5)), (0.5, math.exp(-1.25)), (1, 1), (2, 1)])
def test_ramp_up(progress, expected):
    assert losses.ramp_up(progress) == pytest.approx(expected)
