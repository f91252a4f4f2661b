import math

import pytest
import torch

from mass_nnunet.losses.features import channel_contrast_loss, feature_kl_loss, feature_mse_loss

SHAPE = (6, 8, 8)


def test_channel_contrast_of_orthogonal_channels():
    channels = 4
    basis = torch.zeros(1, channels, 1, 2, 4)
    hadamard = torch.tensor([[1, 1], [1, -1]])
    for _ in range(2):
        hadamard = torch.kron(hadamard, torch.tensor([[1, 1], [1, -1]]))
    basis[0] = hadamard[1 : channels + 1].reshape(channels, 1, 2, 4)  # centred and orthogonal
    matched = float(channel_contrast_loss(basis, 5 * basis + 2, temperature=0.1))
    assert matched == pytest.approx(math.log(1 + (channels - 1) * math.exp(-10)), abs=1e-6)
    shuffled = float(channel_contrast_loss(basis, basis.roll(1, dims=1), temperature=0.1))
    assert shuffled == pytest.approx(10 + math.log(1 + (channels - 1) * math.exp(-10)), abs=1e-4)


def test_feature_mse_of_opposite_channels():
    features = torch.randn(2, 3, *SHAPE)
    assert float(feature_mse_loss(features, 2 * features + 1)) == pytest.approx(0, abs=1e-4)
    # Standardized, a channel and its negative are 2 standard deviations apart: the mean of (2 a)^2 is 4.
    assert float(feature_mse_loss(features, -features)) == pytest.approx(4, abs=1e-3)


def test_feature_kl_against_torch_distributions():
    a, b = torch.randn(1, 2, *SHAPE), torch.randn(1, 2, *SHAPE)
    assert float(feature_kl_loss(a, 3 * a)) == pytest.approx(0, abs=1e-4)

    def distribution(x: torch.Tensor) -> torch.distributions.Categorical:
        flat = x.flatten(2)
        return torch.distributions.Categorical(
            logits=(flat - flat.mean(2, keepdim=True)) / flat.std(2, False, keepdim=True)
        )

    kl = torch.distributions.kl_divergence
    expected = (kl(distribution(a), distribution(b)).mean() + kl(distribution(b), distribution(a)).mean()) / 2
    torch.testing.assert_close(feature_kl_loss(a, b), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", [channel_contrast_loss, feature_mse_loss, feature_kl_loss])
def test_features_are_compared_in_full_precision_within_autocast(loss):
    a, b = torch.randn(1, 4, *SHAPE), torch.randn(1, 4, *SHAPE)
    with torch.autocast("cpu", torch.float16):  # as nnU-Net computes losses on CUDA
        within = loss(a, b)
    assert within.item() == loss(a, b).item()
