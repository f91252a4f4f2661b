import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.hyperparameters import DEFAULTS, complete


def test_gaps_are_filled_and_the_defaults_stay():
    result = complete({"weights": {"semantic": 9.0}, "confidence": 0.5})
    assert result["weights"] == DEFAULTS["weights"] | {"semantic": 9.0}
    assert result["confidence"] == 0.5
    assert DEFAULTS["weights"]["semantic"] != 9.0


@pytest.mark.parametrize("given", [{"weigths": {}}, {"weights": {"semantics": 1.0}}])
def test_a_typing_error_is_named(given):
    with pytest.raises(UserError, match=r"weigths|semantics"):
        complete(given)
