from dataclasses import FrozenInstanceError, fields

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import CHOICES, Hyperparameters, Weights, complete, scaled_learning_rate


def test_gaps_are_filled_and_the_defaults_stay():
    result = complete({"weights": {"semantic": 9.0}, "confidence": 0.5})
    assert result.weights == Weights(semantic=9.0)
    assert result.confidence == 0.5
    assert complete() == Hyperparameters()
    assert complete().weights.semantic != 9.0


@pytest.mark.parametrize("given", [{"weigths": {}}, {"weights": {"semantics": 1.0}}])
def test_a_typing_error_is_named(given):
    with pytest.raises(UserError, match=r"weigths|semantics"):
        complete(given)


@pytest.mark.parametrize(("features", "rate"), [(32, 2.5e-3), (16, 5e-3), (8, 1e-2), (4, 1e-2), (64, 1.25e-3)])
def test_narrow_networks_learn_at_a_higher_rate_up_to_a_limit(features, rate):
    assert scaled_learning_rate(features) == pytest.approx(rate)


@pytest.mark.parametrize("given", [{"similarity": "ncc"}, {"inter_modal_similarity": "none"}, {"anatomical": "l1"}])
def test_an_unknown_choice_is_named_with_those_that_there_are(given):
    with pytest.raises(UserError, match=f"{next(iter(given))} is .* it must be .*m"):
        complete(given)


@pytest.mark.parametrize("given", [{"unlabelled_every": 0}, {"atlases": 2.5}, {"unlabelled_per_step": -1}])
def test_a_count_that_cannot_be_is_named(given):
    with pytest.raises(UserError, match=f"{next(iter(given))} is .*: it must be a whole number from"):
        complete(given)


@pytest.mark.parametrize("ramp", [0, -0.5, 1.5])
def test_a_ramp_that_cannot_be_is_named(ramp):
    with pytest.raises(UserError, match=f"ramp is {ramp} in the plans: it must be a share"):
        complete({"ramp": ramp})


def test_later_changes_win():
    assert complete({"confidence": 0.1}, {"confidence": 0.2}).confidence == 0.2


def test_the_plans_hold_every_field_and_give_it_back():
    plans = complete({"similarity": "mind", "anatomical": "kl", "weights": {"similarity": 3.0}}).as_plans()
    assert plans["similarity"] == "mind"
    assert plans["anatomical"] == "kl"
    assert plans["weights"]["similarity"] == 3.0
    assert len(plans) == len(fields(Hyperparameters))
    assert set(CHOICES) < set(plans)
    assert complete(plans).as_plans() == plans


def test_they_cannot_change_by_accident():
    with pytest.raises(FrozenInstanceError):
        complete().ramp = 0.5


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"learning_rate": "0.1"}, "a number"),
        ({"temperature": float("nan")}, "a number"),
        ({"weights": {"atlas": True}}, "a number"),
        ({"weights": [1]}, "weights by name"),
        ({"shared_encoder": 1}, "true or false"),
        ({"organ_contrast_in_ct": "yes"}, "true or false"),
        ({"atlases": True}, "a whole number from 1"),
        ({"ramp": "x" * 500}, "a number"),
    ],
)
def test_a_value_of_another_type_is_named(given, wanted):
    with pytest.raises(UserError, match=f" in the plans: it must be {wanted}") as raised:
        complete(given)
    assert len(str(raised.value)) < 200
