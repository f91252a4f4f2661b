"""A whole scan is laid on another one: translation, scale, and what they do not share."""

import numpy as np
import torch

from mass_nnunet.registration import alignment
from mass_nnunet.registration.alignment import EDGE, best_alignment, coarse


def scan(shape=(16, 12, 12), seed=0):
    """A smooth random image."""
    noise = np.random.default_rng(seed).normal(size=shape)
    spectrum = np.fft.rfftn(noise)
    frequency = np.meshgrid(
        np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), np.fft.rfftfreq(shape[2]), indexing="ij"
    )
    return torch.from_numpy(np.fft.irfftn(spectrum * np.exp(-60 * sum(f**2 for f in frequency)), shape)).float()


def test_a_part_of_a_scan_is_found_in_it():
    whole = scan()
    found = best_alignment(whole[5:14], whole)
    assert found.size == (9, 12, 12)
    assert found.shift.tolist() == [5, 0, 0]
    assert found.correlation > 0.999
    assert [voxels[0] for voxels in found.voxels(whole.shape)] == [-5, 0, 0]
    np.testing.assert_allclose(found.scaled(whole[5:14]), whole[5:14], atol=1e-6)


def test_a_smaller_body_is_scaled():
    whole = scan((20, 20, 20))
    small = torch.nn.functional.interpolate(whole[None, None], size=(16, 16, 16), mode="trilinear")[0, 0]
    assert best_alignment(small, whole).size == (20, 20, 20)


def test_what_does_not_correlate_is_not_laid(monkeypatch):
    monkeypatch.setattr(alignment, "_translation", lambda *_: (-0.1, np.zeros(3, int)))
    assert best_alignment(scan(), scan()) is None


def test_the_coarse_grid_has_the_mean_of_each_voxel():
    fine = torch.arange(16.0).reshape(4, 2, 2)
    half = coarse(fine, (EDGE / 2, EDGE / 2, EDGE / 2))
    assert half.tolist() == [[[3.5]], [[11.5]]]
    assert coarse(fine, (1.0, 1.0, 1.0)).shape == (1, 1, 1)
