"""MRI of blocks of one tissue: what is bright in which sequence."""

import numpy as np
import pytest

from mass_nnunet.phantom.contrast_mr import SEQUENCES, SIGNAL, sample_signals, scan_mr
from mass_nnunet.phantom.tissues import Tissue


def signals(**sampled) -> np.ndarray:
    """The signals of a patient, without random differences, but with those that are given by tissue."""
    found = np.array([SIGNAL[tissue] for tissue in Tissue], np.float32)
    for name, signal in sampled.items():
        found[Tissue[name]] = signal
    return found


def mean(tissue: np.ndarray, sequence: str, of: np.ndarray) -> float:
    """Mean magnitude; with one seed, coil and scale are the same for each sequence."""
    return float(scan_mr(tissue, sequence, of, np.random.default_rng(1)).mean())


def block(tissue: Tissue) -> np.ndarray:
    return np.full((12, 24, 24), tissue, np.uint8)


def test_every_tissue_has_signals():
    assert set(SIGNAL) == set(Tissue)
    assert sample_signals(np.random.default_rng(0)).shape == (len(Tissue), len(SEQUENCES))


def test_the_sampled_liver_has_fat_of_its_own():
    fat = [sample_signals(np.random.default_rng(seed))[Tissue.LIVER, 1] for seed in range(20)]
    assert len(set(fat)) > 10
    assert 0 < min(fat) < max(fat) <= np.float32(0.3)


def test_fluid_is_bright_and_fat_is_dark_in_t2_with_fat_suppression():
    of = signals()
    fluid, liver, fat = (mean(block(t), "T2SPIR", of) for t in (Tissue.SPINAL_FLUID, Tissue.LIVER, Tissue.FAT))
    assert fluid > 2 * liver > 4 * fat


def test_a_voxel_with_as_much_fat_as_water_is_dark_out_of_phase_only():
    half = block(Tissue.MUSCLE)
    half[:, :, 1::2] = Tissue.FAT  # half of each voxel
    of = signals(MUSCLE=(1, 0, 0), FAT=(0, 1, 0))
    assert mean(half, "T1IN", of) > 10 * mean(half, "T1OUT", of)
    assert mean(block(Tissue.FAT), "T1OUT", of) == pytest.approx(mean(block(Tissue.FAT), "T1IN", of) / 0.92, rel=0.02)


def test_magnitudes_are_whole_and_not_negative():
    scan = scan_mr(block(Tissue.LUNG), "T1IN", signals(), np.random.default_rng(0))
    assert scan.dtype == np.uint16 and scan.shape == (6, 12, 12)
    assert scan.mean() > 0  # Rician noise
