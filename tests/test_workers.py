import os

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.workers import map_cases


def square(x: int) -> int:
    if x < 0:
        raise UserError(f"{x} is negative")
    return x * x


def die(x: int) -> None:
    os._exit(1)


@pytest.mark.parametrize("processes", [1, 2])
def test_results_in_order_and_one_line_for_bad_input(processes):
    assert map_cases(square, [3, 1, 2], processes=processes, description="x") == [9, 1, 4]
    with pytest.raises(UserError, match="-1 is negative"):
        map_cases(square, [1, -1], processes=processes, description="x")


def test_a_killed_worker():
    with pytest.raises(UserError, match="worker process was killed"):
        map_cases(die, [1, 2], processes=2, description="x")
