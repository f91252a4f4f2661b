"""The second opinion goes where place and intensities agree."""

import numpy as np

from mass_nnunet.quality.alignment import Laid
from mass_nnunet.quality.grid import Coarse
from mass_nnunet.quality.opinion import posterior, prior
from two_organs import UPRIGHT

SHAPE = (12, 16, 16)


def laid(organ, similarity=0.5, known=True):
    image = organ.astype(np.float32)
    everywhere = np.full(SHAPE, known)
    return Laid(np.stack([1 - image, image]), image, everywhere, np.full(SHAPE, similarity, np.float32), everywhere)


def organ(start):
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 4:12, start : start + 6] = True
    return mask


def test_the_more_similar_scan_counts():
    found = prior([laid(organ(1), 0.9), laid(organ(9), 0.2)])
    assert found[1][organ(1)].mean() > 10 * found[1][organ(9) & ~organ(1)].mean()
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


def test_a_scan_that_shows_nothing_there_does_not_count():
    found = prior([laid(organ(1), 0.9, known=False), laid(organ(9), 0.2)])
    np.testing.assert_allclose(found, prior([laid(organ(9), 0.2)]), atol=1e-5)


def test_intensities_move_the_surface():
    truth = organ(6)
    image = np.where(truth, 0.8, 0.2).astype(np.float32)
    case = Coarse(image, SHAPE, (5.0, 5.0, 5.0), (0.0, 0.5), UPRIGHT)
    before = prior([laid(organ(4))])
    after = posterior(case, before)
    overlaps = [2 * np.minimum(p[1], truth).sum() / (p[1].sum() + truth.sum()) for p in (before, after)]
    assert overlaps[1] > overlaps[0] + 0.1
    np.testing.assert_allclose(after.sum(0), 1, atol=1e-4)
