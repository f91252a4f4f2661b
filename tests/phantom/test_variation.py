import numpy as np

from mass_nnunet.phantom.variation import Variation


def test_the_same_generator_gives_the_same_changes():
    one, other = (Variation(np.random.default_rng(3)) for _ in range(2))
    for vary in (one, other):
        vary.first = vary.at([(0, 0, 0), (1, 1, 1)]), vary.size(10), vary.turn((0, 0, 0)), vary.between(2, 3)
    assert all(np.array_equal(a, b) for a, b in zip(one.first, other.first, strict=True))


def test_standard_deviations_are_those_stated():
    vary = Variation(np.random.default_rng(0))
    points = vary.at(np.zeros((20_000, 3)), 0.5)
    assert abs(points.std() - 0.5 * vary.POSITION_MM) < 0.05 and abs(points.mean()) < 0.05
    sizes = np.log([vary.size(10.0) / 10 for _ in range(20_000)])
    assert abs(sizes.std() - vary.SIZE * np.hypot(1, 0.5)) < 0.003
    turned = np.array([vary.turn((10, 0, 0)) for _ in range(20_000)])
    assert np.allclose(turned.mean(0), (10, 0, 0), atol=0.2) and np.allclose(turned.std(0), vary.DEGREES, atol=0.15)


def test_radii_grow_together():
    vary = Variation(np.random.default_rng(0))
    sizes = np.log([vary.size([1.0, 1.0]) for _ in range(5000)])
    assert abs(np.corrcoef(sizes.T)[0, 1] - 0.8) < 0.03  # variance 1 of both, 1/4 of each


def test_chance_and_between():
    vary = Variation(np.random.default_rng(0))
    assert abs(np.mean([vary.chance(0.3) for _ in range(5000)]) - 0.3) < 0.03
    values = [vary.between(2, 3) for _ in range(1000)]
    assert min(values) >= 2 and max(values) < 3 and abs(np.mean(values) - 2.5) < 0.05
