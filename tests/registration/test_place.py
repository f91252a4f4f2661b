import numpy as np
import pytest

from mass_nnunet.registration.place import possible_organs

SPACING = (8.0, 6.0, 6.0)
WIDTH = 300.0
"""The extent of all scans, from front to back and from side to side, in mm."""
LIVER = ((300.0, -40.0, -50.0), (70.0, 55.0, 50.0))
SPLEEN = ((320.0, 30.0, 70.0), (40.0, 30.0, 25.0))
"""Centre and radii (z, y, x) of the organs in mm; z is from the pelvis to the head, the other axes from the middle."""


def patient(
    first: float,
    last: float,
    *,
    size: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    spacing: tuple[float, float, float] = SPACING,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Image and organs (Z, Y, X) of a scan of a body 700 mm long, from one height in mm to another.

    Args:
        first: height of the lower end, of the body of size 1.
        last: height of the upper end.
        size: of the body.
        shift: of the body in the scan, along y and x in mm.
        spacing: (z, y, x) in mm.
        seed: of the noise.
    """
    lengths = (size * (last - first), WIDTH, WIDTH)
    starts = (size * first, -WIDTH / 2 - shift[0], -WIDTH / 2 - shift[1])
    axes = [a + e * (np.arange(round(n / e)) + 0.5) for a, n, e in zip(starts, lengths, spacing, strict=True)]
    z, y, x = (axis / size for axis in np.meshgrid(*axes, indexing="ij"))

    def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
        return sum(((v - c) / r) ** 2 for v, c, r in zip((z, y, x), centre, radii, strict=True)) < 1

    waist = 1 - 0.15 * np.cos(2 * np.pi * (z - 330) / 500)
    image = np.where((y / (90 * waist)) ** 2 + (x / (120 * waist)) ** 2 < 1, 0.0, -4.0)
    for side in (-1, 1):
        image[ellipsoid((470, 0, 60 * side), (110, 60, 45))] = -3.0  # lungs
        image[ellipsoid((110, 10, 80 * side), (60, 45, 20))] = 3.0  # wings of the pelvis
    image[(y - 60) ** 2 + x**2 < 18**2] = 3.0  # spine
    organs = ellipsoid(*LIVER) | ellipsoid(*SPLEEN)
    image[organs] = 1.0
    return image + np.random.default_rng(seed).normal(0, 0.3, image.shape), organs.astype(np.int16)


def heights(possible: np.ndarray, first: float, *, size: float = 1.0, step: float = SPACING[0]) -> tuple[float, float]:
    """Lowest and highest place in the body, in its own mm, where organs can be."""
    slices = np.flatnonzero(possible.any((1, 2)))
    return first + slices.min() * step / size, first + (slices.max() + 1) * step / size


def covered(possible: np.ndarray, organs: np.ndarray) -> float:
    """Share of the organs that is where organs can be."""
    return float(possible[organs > 0].mean())


@pytest.mark.parametrize(
    ("size", "shift"),
    [(1.0, (0.0, 0.0)), (1.1, (0.0, 0.0)), (0.9, (24.0, -18.0))],
    ids=["same", "larger", "smaller, moved"],
)
def test_organs_are_found_in_a_scan_with_another_field_of_view_and_the_pelvis_has_none(size, shift):
    atlas = patient(180, 520)  # without pelvis
    scan, organs = patient(0, 600, size=size, shift=shift, seed=1)
    possible = possible_organs(scan, [atlas], SPACING, 30.0)
    assert possible.shape == scan.shape
    assert possible.dtype == bool
    assert covered(possible, organs) > 0.995
    low, high = heights(possible, 0, size=size)  # the organs are from 230 to 370
    assert 150 < low < 230
    assert 370 < high < 450
    # Whole slices: how far an organ of another patient reaches to the side is not known.
    assert np.array_equal(possible, np.broadcast_to(possible[:, :1, :1], possible.shape))


def test_the_same_holds_where_the_scan_is_the_shorter_one():
    scan, organs = patient(180, 420, shift=(0.0, 18.0), seed=1)
    possible = possible_organs(scan, [patient(0, 600)], SPACING, 15.0)
    assert covered(possible, organs) > 0.99
    assert not possible[:2].any()


def test_an_organ_that_the_border_of_the_atlas_cuts_goes_on():
    """The atlas ends in the middle of the liver: nobody knows from it how far up the liver goes."""
    scan, organs = patient(0, 600, seed=1)
    possible = possible_organs(scan, [patient(60, 300)], SPACING, 15.0)
    assert covered(possible, organs) > 0.95
    low, high = heights(possible, 0)
    assert low > 180
    assert high == 600


def test_where_the_organs_of_the_atlas_are_whole_there_is_nothing_beyond_its_border():
    scan, organs = patient(0, 600, seed=1)
    possible = possible_organs(scan, [patient(200, 400)], SPACING, 15.0)
    assert covered(possible, organs) > 0.99
    low, high = heights(possible, 0)
    assert low > 180
    assert high < 420


def test_what_one_of_several_atlases_lacks_another_one_shows():
    scan, organs = patient(0, 600, seed=1)
    image, labels = patient(180, 520)
    upper = np.arange(len(labels))[:, None, None] * SPACING[0] + 180 > 300
    halves = [(image, labels * upper), (image, labels * ~upper)]
    alone = [possible_organs(scan, [half], SPACING, 0.0) for half in halves]
    assert max(covered(one, organs) for one in alone) < 0.9
    both = possible_organs(scan, halves, SPACING, 0.0)
    assert covered(both, organs) > 0.95
    assert np.array_equal(both, alone[0] | alone[1])


def test_where_no_atlas_has_organs_they_can_be_everywhere():
    scan, _ = patient(0, 600, seed=1)
    image, labels = patient(180, 520)
    assert possible_organs(scan, [(image, 0 * labels)], SPACING, 30.0).all()
    assert possible_organs(scan, [], SPACING, 30.0).all()


@pytest.mark.parametrize("spacing", [(15.0, 5.0, 5.0), (5.0, 15.0, 7.5)])
def test_the_margin_is_in_mm(spacing):
    """The grid of the search has voxels of 15 mm, whatever the voxels of the scan are."""
    image, organs = patient(0, 600, spacing=spacing)
    none, wide = (possible_organs(image, [(image, organs)], spacing, margin) for margin in (0.0, 45.0))
    inner, outer = (np.flatnonzero(where.any((1, 2))) for where in (none, wide))
    assert spacing[0] * (inner.min() - outer.min()) == pytest.approx(45, abs=spacing[0])
    assert spacing[0] * (outer.max() - inner.max()) == pytest.approx(45, abs=spacing[0])
    assert covered(none, organs) > 0.9  # at 15 mm, no border of an organ is exact
    assert covered(wide, organs) == 1


def test_brightness_and_contrast_of_the_atlas_do_not_matter():
    scan, _ = patient(0, 600, shift=(18.0, -12.0), seed=1)
    image, labels = patient(180, 520)
    expected = possible_organs(scan, [(image, labels)], SPACING, 15.0)
    assert not expected.all()
    assert np.array_equal(possible_organs(scan, [(200 * image + 1000, labels)], SPACING, 15.0), expected)


def test_a_scan_of_half_precision_and_of_a_few_slices():
    image, labels = (volume[::-1] for volume in patient(200, 400))  # a view with negative strides, besides
    scan = image.astype(np.float16)[:10]
    possible = possible_organs(scan, [(image.astype(np.float16), labels)], SPACING, 0.0)
    assert possible.shape == scan.shape
    assert covered(possible, labels[:10]) > 0.9
    assert not possible.all()
