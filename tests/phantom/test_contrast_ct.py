"""CT of blocks of one tissue: Hounsfield units, and noise."""

import numpy as np
import pytest

from mass_nnunet.phantom.contrast_ct import HOUNSFIELD, PHASES, scan_ct, unit_noise
from mass_nnunet.phantom.tissues import Tissue


def block(tissue: Tissue) -> np.ndarray:
    """A body of one tissue on the fine grid."""
    return np.full((12, 24, 24), tissue, np.uint8)


def test_every_tissue_has_numbers_for_every_phase():
    assert set(HOUNSFIELD) == set(Tissue)
    assert all(len(number) == len(PHASES) for number in HOUNSFIELD.values() if isinstance(number, tuple))


@pytest.mark.parametrize(("tissue", "low", "high"), [(Tissue.AIR, -1024, -980), (Tissue.FAT, -125, -85)])
def test_air_and_fat_have_their_hounsfield_units_in_every_phase(tissue, low, high):
    for seed in range(5):
        scan = scan_ct(block(tissue), np.random.default_rng(seed))
        assert scan.shape == (6, 12, 12) and scan.dtype == np.int16
        assert low <= scan.mean() <= high
        assert scan.min() >= -1024


def test_a_voxel_of_two_tissues_lies_between_them():
    tissue = block(Tissue.AIR)
    tissue[1::2] = Tissue.CORTICAL_BONE  # half of each voxel
    bone, air = HOUNSFIELD[Tissue.CORTICAL_BONE], HOUNSFIELD[Tissue.AIR]
    assert scan_ct(tissue, np.random.default_rng(0)).mean() == pytest.approx((bone + air) / 2, abs=60)


def test_noise_has_unit_standard_deviation_and_is_correlated():
    noise = unit_noise((8, 32, 32), (0.2, 1.5, 1.5), np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, rel=1e-4)
    along_x = np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1]
    along_z = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert along_x > 0.7 > 0.3 > along_z
