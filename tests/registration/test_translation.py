from itertools import product

import pytest
import torch

from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.registration import translation
from mass_nnunet.registration.translation import EPSILON, best_image_translation, best_translation

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


def smooth(count: int, shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    """Smooth random images (count, 1, Z, Y, X)."""
    generator = torch.Generator().manual_seed(seed)
    nodes = torch.rand((count, 1, *(size // 4 for size in shape)), generator=generator)
    return torch.nn.functional.interpolate(nodes, shape, mode="trilinear")


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, -3, 4), (-2, 5, 0)])
def test_images_are_laid_on_each_other(shift):
    whole = smooth(1, (20, 32, 32))
    moving = whole[..., 4:16, 8:24, 8:24]
    z, y, x = (slice(a - s, b - s) for a, b, s in zip((4, 8, 8), (16, 24, 24), shift, strict=True))
    fixed = 3 * whole[..., z, y, x] + 7  # of another brightness and contrast
    both = best_image_translation(torch.cat([moving, fixed]), fixed)
    assert both.tolist() == [list(map(float, shift)), [0.0, 0.0, 0.0]]


def test_the_correlation_is_that_of_the_overlap():
    """All shifts of a small pair of images, one by one."""
    moving, fixed = smooth(1, (4, 8, 8)), smooth(1, (4, 8, 8), seed=1)
    best, found = -2.0, None
    for shift in product(*(range(1 - size, size) for size in (4, 8, 8))):
        of_moving = tuple(slice(max(0, -s), size - max(0, s)) for s, size in zip(shift, (4, 8, 8), strict=True))
        of_fixed = tuple(slice(max(0, s), size - max(0, -s)) for s, size in zip(shift, (4, 8, 8), strict=True))
        a, b = moving[0, 0][of_moving].flatten(), fixed[0, 0][of_fixed].flatten()
        if len(a) < 0.5 * 4 * 8 * 8:
            continue
        correlation = float(torch.corrcoef(torch.stack([a, b]))[0, 1])
        if correlation > best:
            best, found = correlation, list(map(float, shift))
    assert best_image_translation(moving, fixed).tolist() == [found]


def test_large_images_are_compared_on_a_coarser_grid(monkeypatch):
    monkeypatch.setattr(translation, "GRID", 16)
    whole = smooth(1, (16, 48, 48))
    moving, fixed = whole[..., 8:40, 8:40], whole[..., 4:36, 12:44]
    assert best_image_translation(moving, fixed).tolist() == [[0.0, 4.0, -4.0]]


def test_images_that_show_nothing_stay_where_they_are():
    assert not best_image_translation(torch.ones(2, 1, 4, 8, 8), torch.zeros(1, 1, 4, 8, 8)).any()
