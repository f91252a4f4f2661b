"""An annotated scan is laid on a case where the same organs are."""

from dataclasses import replace

import numpy as np
import pytest

from mass_nnunet.quality.alignment import lay
from two_organs import scan


@pytest.mark.parametrize("shift", [(0, 0, 0), (3, -2, 1)])
def test_organs_are_laid_on_organs(shift):
    case, truth = scan(shift)
    atlas, shares = scan()
    laid = lay(atlas, shares, case)
    assert laid.shares.shape == truth.shape
    np.testing.assert_allclose(laid.shares.sum(0), 1, atol=1e-5)
    for k in (1, 2):
        common = np.minimum(laid.shares[k], truth[k]).sum()
        assert 2 * common / (laid.shares[k].sum() + truth[k].sum()) > 0.75
    assert laid.likeness > 0.6


def test_beyond_an_annotated_scan_nothing_is_known():
    case, _ = scan(shape=(40, 24, 24))
    atlas, shares = scan()
    laid = lay(atlas, shares, case)
    assert not laid.known.all()
    assert not laid.shares[1:, ~laid.known].any()
    assert not laid.similarity[~laid.known].any()
    assert laid.judged.all()  # there are no organs: the annotated scan shows them whole
    cut = lay(atlas, shares, case, is_cut=True)
    assert (cut.judged == cut.known).all()


def test_without_organs_nothing_is_like():
    case, _ = scan()
    atlas, shares = scan()
    shares[1:] = 0
    shares[0] = 1
    assert lay(atlas, shares, case).likeness == 0


def test_a_scan_without_content_is_like_nothing():
    atlas, shares = scan()
    empty = replace(atlas, image=np.zeros_like(atlas.image))
    laid = lay(atlas, shares, empty)
    assert laid.likeness < 0.05
    assert laid.shares.shape == shares.shape
