"""Synthetic errors range from none to all, and are the same for the same seed."""

import numpy as np
import pytest

from mass_nnunet.quality import corruption
from mass_nnunet.quality.corruption import corrupted
from mass_nnunet.quality.features import dice

SHAPE = (16, 24, 24)


@pytest.fixture
def annotation():
    labels = np.zeros(SHAPE, int)
    labels[4:12, 4:12, 4:12], labels[5:11, 14:20, 14:20] = 1, 2
    shares = np.stack([labels == k for k in range(4)]).astype(np.float32)  # the last organ is absent
    return shares, np.where(labels > 0, 0.6, 0.3).astype(np.float32)


def test_errors_of_all_sizes(annotation, monkeypatch):
    monkeypatch.setattr(corruption, "COUNT", 60)
    shares, image = annotation
    found = list(corrupted(shares, image, 0))
    assert len(found) == 60
    for one in found:
        np.testing.assert_allclose(one.sum(0), 1, atol=1e-5)
        assert one.min() >= -1e-6
    scores = np.array([dice(one[1], shares[1]) for one in found])
    assert scores.max() > 0.95
    assert scores.min() < 0.3
    again = list(corrupted(shares, image, 0))
    assert all(np.array_equal(*pair) for pair in zip(found, again, strict=True))
    assert not np.array_equal(next(iter(corrupted(shares, image, 1))), found[0])


def test_a_dark_image_has_no_place_for_spots(annotation, monkeypatch):
    monkeypatch.setattr(corruption, "COUNT", 20)
    shares, image = annotation
    assert len(list(corrupted(shares, 0 * image, 0))) == 20
