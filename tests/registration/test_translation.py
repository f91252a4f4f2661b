from itertools import product

import pytest
import torch

from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.registration.translation import EPSILON, best_translation

SHAPE = (6, 8, 10)


def scan(*organs: tuple[int, tuple[slice, slice, slice]], shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    """Class shares (1, 3, Z, Y, X) of a scan with these boxes of class 1 or 2."""
    labels = torch.zeros(1, 1, *shape)
    for organ, box in organs:
        labels[0, 0][box] = organ
    return one_hot(labels, 3)


def box(z: int, y: int, x: int, size: int = 2) -> tuple[slice, slice, slice]:
    """A cube that begins there; what lies outside of the grid is cut off."""
    z, y, x = (slice(max(0, begin), max(0, begin + size)) for begin in (z, y, x))
    return z, y, x


def brute_force(moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """The same shift, (3,), of one pair (K, Z, Y, X), from the Dice of all shifts one after the other."""
    shape = fixed.shape[1:]
    best, found = -torch.inf, None
    for shift in product(*(range(-size, size) for size in shape)):
        moved = torch.zeros_like(moving)
        to = (slice(max(0, s), n + min(0, s)) for s, n in zip(shift, shape, strict=True))
        of = (slice(max(0, -s), n - max(0, s)) for s, n in zip(shift, shape, strict=True))
        moved[(slice(None), *to)] = moving[(slice(None), *of)]
        common = 2 * (moved[1:] * fixed[1:]).sum()
        dice = common / (moved[1:].sum() + fixed[1:].sum() + EPSILON)
        value = dice - EPSILON * torch.tensor(shift).float().norm() / torch.tensor(shape).float().norm()
        if value > best:
            best, found = value, torch.tensor(shift).float()
    return found


@pytest.mark.parametrize("shift", [(0, 0, 0), (2, 0, 0), (0, -2, 5), (-1, 3, -2)])
def test_a_shifted_copy_is_found(shift):
    z, y, x = shift
    moving = scan((1, box(1, 3, 3)), (2, box(2, 3, 4, 1)))
    fixed = scan((1, box(1 + z, 3 + y, 3 + x)), (2, box(2 + z, 3 + y, 4 + x, 1)))
    assert best_translation(moving, fixed).tolist() == [list(shift)]


def test_what_leaves_the_grid_does_not_count():
    """Half of the organs are beyond the border of the other patch: the rest lies on its like all the same."""
    moving = scan((1, box(1, 1, 2, 4)), (2, box(1, 6, 2)))
    fixed = scan((1, box(1, -1, 2, 4)), (2, box(1, 4, 2)))
    assert best_translation(moving, fixed).tolist() == [[0, -2, 0]]
    assert best_translation(fixed, moving).tolist() == [[0, 2, 0]]


def test_the_class_counts_not_the_organ_alone():
    moving = scan((1, box(2, 2, 2)))
    fixed = scan((2, box(2, 2, 2)), (1, box(2, 5, 6)))
    assert best_translation(moving, fixed).tolist() == [[0, 3, 4]]


@pytest.mark.parametrize("empty", [("moving",), ("fixed",), ("moving", "fixed")])
def test_a_scan_without_organs_is_not_shifted(empty):
    torch.manual_seed(0)
    scans = {name: scan() if name in empty else torch.rand(2, 3, *SHAPE) for name in ("moving", "fixed")}
    shifts = best_translation(scans["moving"].expand(2, -1, -1, -1, -1), scans["fixed"])
    assert torch.equal(shifts, torch.zeros(2, 3))


def test_of_equally_good_shifts_the_shortest_is_taken():
    moving = scan((1, box(2, 3, 4, 1)))
    fixed = scan((1, box(2, 3, 1, 1)), (1, box(2, 3, 6, 1)))
    assert best_translation(moving, fixed).tolist() == [[0, 0, 2]]


def test_one_fixed_scan_for_many():
    torch.manual_seed(0)
    moving, fixed = torch.rand(4, 3, *SHAPE) ** 8, torch.rand(1, 3, *SHAPE) ** 8
    together = best_translation(moving, fixed)
    assert len(together.unique(dim=0)) > 1
    assert torch.equal(together, best_translation(moving, fixed.expand(4, -1, -1, -1, -1)))
    assert torch.equal(together, torch.cat([best_translation(one[None], fixed) for one in moving]))


@pytest.mark.parametrize("power", [1, 8, 30])
def test_agrees_with_a_loop_over_all_shifts(power):
    """A large power makes organs of a few voxels, so that the best shift is a far one."""
    torch.manual_seed(power)
    moving, fixed = torch.rand(3, 3, 3, 4, 5) ** power, torch.rand(3, 3, 3, 4, 5) ** power
    expected = torch.stack([brute_force(*pair) for pair in zip(moving, fixed, strict=True)])
    assert torch.equal(best_translation(moving, fixed), expected)
    assert power == 1 or expected.any()


def test_half_precision_of_the_network_is_good_enough():
    moving, fixed = scan((1, box(1, 1, 1))), scan((1, box(3, 4, 6)))
    with torch.autocast("cpu", torch.bfloat16):
        assert best_translation(moving.bfloat16(), fixed.bfloat16()).tolist() == [[2, 3, 5]]
