"""The greedy choice, on scans along a line where the best ones can be told by hand."""

import numpy as np
import pytest

from mass_nnunet.annotation.choice import FAR, Ground, choose


def ground(places, annotated=(), uncertainty=None) -> Ground:
    at = np.array(places, float)
    is_annotated = np.isin(np.arange(len(at)), annotated)
    return Ground(
        np.abs(at[:, None] - at), is_annotated, np.ones(len(at)) if uncertainty is None else np.array(uncertainty)
    )


def numbers(picks):
    return [pick.scan for pick in picks]


def test_first_the_most_typical_then_one_of_each_group_and_none_twice():
    picks = choose([ground([0, 1, 2, 10, 11, 30])], 4)
    assert picks[0].nearest is None
    assert sorted(numbers(picks[:3])) in ([2, 3, 5], [1, 3, 5], [2, 4, 5], [1, 4, 5])
    assert len(set(numbers(picks))) == 4


def test_the_gain_is_the_mean_of_what_comes_nearer():
    (pick,) = choose([ground([0, 4, 6, 20], annotated=[0])], 1)
    # Nearest are at 4, 6 and 20: 6 saves 2 + 6 + 6, and 20 saves 20 alone.
    assert (pick.scan, pick.nearest, pick.stands_for) == (3, 0, 1)
    assert pick.gain == pytest.approx(20 / 3)
    (pick,) = choose([ground([0, 4, 6, 7], annotated=[0])], 1)
    assert (pick.scan, pick.gain, pick.stands_for) == (2, pytest.approx((2 + 6 + 6) / 3), 3)


def test_uncertain_scans_count_more():
    places = [0, 5, -5]
    assert numbers(choose([ground(places, [0], [0, 0.2, 0.8])], 1)) == [2]
    assert numbers(choose([ground(places, [0], [0, 0.8, 0.2])], 1)) == [1]


def test_a_modality_without_annotation_comes_first_and_each_modality_counts_the_same():
    many, few = ground([0, *range(1, 20)], annotated=[0]), ground([0, 1, 2])
    picks = choose([many, few], 2)
    assert [pick.ground for pick in picks] == [1, 0]
    assert (picks[0].scan, picks[0].gain) == (1, pytest.approx(FAR * 2 - 2 / 3))
    one, twice = ground([0, 3, 3.1], annotated=[0]), ground([0, 3, 3, 3.1, 3.1], annotated=[0])
    assert choose([one], 1)[0].gain == pytest.approx(choose([twice], 1)[0].gain)


def test_no_more_than_there_are_and_equal_scans_one_after_another():
    picks = choose([ground([0, 3, 3], annotated=[0]), ground([1], annotated=[0]), ground([])], 9)
    assert numbers(picks) == [1, 2]
    assert [pick.stands_for for pick in picks] == [1, 1]
    assert picks[1].gain == 0
