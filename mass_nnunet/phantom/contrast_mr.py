"""MRI: T1 in and out of phase, T2-SPIR; coil shading, Rician noise and an arbitrary scale."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import voxel_mean
from .canvas import spline_field
from .contrast_ct import unit_noise
from .tissues import Tissue as T

SEQUENCES = ("T1IN", "T1OUT", "T2SPIR")
# Signal of water and of fat in a T1-weighted gradient echo, and T2-weighted signal with fat suppression.
SIGNAL: dict[T, tuple[float, float, float]] = {
    T.AIR: (0, 0, 0),
    T.TABLE: (0, 0, 0),
    T.SKIN: (0.35, 0.25, 0.22),
    T.FAT: (0.1, 1.1, 0.13),
    T.VISCERAL_FAT: (0.1, 1.0, 0.09),
    T.MUSCLE: (0.45, 0.03, 0.19),
    T.CORTICAL_BONE: (0.12, 0.05, 0.06),
    T.MARROW: (0.28, 0.32, 0.26),
    T.DISC: (0.32, 0, 0.38),
    T.SPINAL_FLUID: (0.14, 0, 1.45),
    T.SPINAL_CORD: (0.42, 0, 0.6),
    T.LUNG: (0.05, 0, 0.06),
    T.HEART: (0.36, 0, 0.3),
    T.LIVER: (0.64, 0, 0.36),
    T.HEPATIC_VESSEL: (0.42, 0, 0.68),
    T.SPLEEN: (0.44, 0, 0.8),
    T.RENAL_CORTEX: (0.52, 0, 0.82),
    T.RENAL_MEDULLA: (0.38, 0, 0.98),
    T.URINE: (0.18, 0, 1.5),
    T.BILE: (0.35, 0, 1.45),
    T.STOMACH_WALL: (0.42, 0, 0.45),
    T.STOMACH_CONTENT: (0.24, 0, 1.3),
    T.BOWEL_WALL: (0.42, 0, 0.42),
    T.BOWEL_FLUID: (0.26, 0, 1.05),
    T.FAECES: (0.5, 0.1, 0.3),
    T.GAS: (0, 0, 0),
    T.AORTA: (0.3, 0, 0.12),
    T.VENA_CAVA: (0.34, 0, 0.25),
    T.PORTAL_VEIN: (0.4, 0, 0.5),
    T.OESOPHAGUS: (0.42, 0, 0.4),
    T.PANCREAS: (0.64, 0.08, 0.48),
    T.ADRENAL: (0.5, 0.05, 0.4),
    T.CYST: (0.2, 0, 1.4),
    T.LESION: (0.42, 0, 0.7),
}
MOTTLED = {T.FAECES: 0.4, T.BOWEL_FLUID: 0.2, T.STOMACH_CONTENT: 0.15, T.VISCERAL_FAT: 0.07, T.LUNG: 0.5}


def sample_signals(rng: np.random.Generator) -> np.ndarray:
    """Sample the signals (tissues, 3) of one patient, with a random fat content of the liver."""
    signals = np.array([SIGNAL[kind] for kind in T], np.float32)
    signals *= np.exp(0.09 * rng.standard_normal(signals.shape))
    signals[T.LIVER, 1] = min(rng.exponential(0.05), 0.3)
    signals[T.BILE, 0] = rng.uniform(0.2, 0.7)
    signals[[T.STOMACH_CONTENT, T.BOWEL_FLUID], 2] *= rng.uniform(0.4, 1.1, 2)
    return signals


def scan_mr(tissue: np.ndarray, sequence: str, signals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Magnitude (Z, Y, X), uint16, in arbitrary units, of a body on the fine grid (2Z, 2Y, 2X).

    Water and fat are averaged over a voxel before they are added or subtracted, so a voxel with both is dark out of
    phase.
    """
    if sequence == "T2SPIR":
        image = voxel_mean(signals[:, 2][tissue])
    else:
        water, fat = (voxel_mean(signals[:, part][tissue]) for part in (0, 1))
        image = 0.92 * (water + fat) if sequence == "T1IN" else np.abs(water - fat)
    mottle = np.full(len(T), 0.05, np.float32)
    mottle[list(MOTTLED)] = list(MOTTLED.values())
    image *= 1 + voxel_mean(mottle[tissue]) * unit_noise(image.shape, (0.4, 1.1, 1.1), rng)
    image = gaussian_filter(image, (0, 0.4, 0.4))
    image *= np.exp(spline_field(rng.normal(0, 0.28, (4, 5, 5)).astype(np.float32), image.shape))
    noise = rng.uniform(0.015, 0.045) * rng.standard_normal((2, *image.shape), dtype=np.float32)
    magnitude = np.hypot(image + noise[0], noise[1])
    return np.clip(np.rint(magnitude * np.exp(rng.uniform(np.log(250), np.log(1500)))), 0, 65535).astype(np.uint16)
