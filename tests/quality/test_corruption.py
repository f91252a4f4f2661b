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


def test_organs_are_found_elsewhere_and_with_a_neighbours_voxels(annotation, monkeypatch):
    monkeypatch.setattr(corruption, "COUNT", 40)
    monkeypatch.setattr(corruption, "_worse", lambda distance, image, generator: (distance > 0).astype(float))
    shares, image = annotation
    monkeypatch.setattr(corruption, "ELSEWHERE", 1.0)
    away = [one[1] for one in corrupted(shares, image, 0)]
    assert min(dice(organ, shares[1]) for organ in away) < 0.2
    assert any(np.minimum(organ, shares[1]).sum() > 500 and organ.sum() > 600 for organ in away)  # beside its place
    monkeypatch.setattr(corruption, "ELSEWHERE", 0.0)
    monkeypatch.setattr(corruption, "MERGED", 1.0)
    taken = list(corrupted(shares, image, 0))
    assert any(np.minimum(one[1], shares[2]).sum() > 100 for one in taken)
    assert all(np.allclose(one.sum(0), 1, atol=1e-5) for one in taken)


def test_what_is_moved_beyond_the_scan_is_lost(annotation):
    organ = annotation[0][1]
    assert corruption._moved(organ, np.array([0, 0, 13])).sum() == organ.sum() * 7 / 8
    assert corruption._moved(organ, np.array([-40, 0, 0])).sum() == 0
