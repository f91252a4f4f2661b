"""CT: Hounsfield units by contrast phase, the scanner's blur and its correlated noise."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import voxel_mean
from .tissues import Tissue as T

PHASES = ("none", "arterial", "portal venous")
# Typical HU without contrast agent, in the arterial and in the portal venous phase; or one number for all phases.
HOUNSFIELD: dict[T, float | tuple[float, float, float]] = {
    T.AIR: -1000,
    T.TABLE: -120,
    T.SKIN: 10,
    T.FAT: -105,
    T.VISCERAL_FAT: -98,
    T.MUSCLE: (52, 56, 62),
    T.CORTICAL_BONE: 480,
    T.MARROW: 190,
    T.DISC: 85,
    T.SPINAL_FLUID: 15,
    T.SPINAL_CORD: 38,
    T.LUNG: -830,
    T.HEART: (44, 210, 140),
    T.LIVER: (57, 68, 108),
    T.HEPATIC_VESSEL: (42, 74, 148),
    T.SPLEEN: (48, 115, 120),
    T.RENAL_CORTEX: (34, 165, 170),
    T.RENAL_MEDULLA: (31, 75, 155),
    T.URINE: (8, 10, 25),
    T.BILE: 9,
    T.STOMACH_WALL: (42, 70, 80),
    T.STOMACH_CONTENT: 28,
    T.BOWEL_WALL: (38, 75, 85),
    T.BOWEL_FLUID: 24,
    T.FAECES: 5,
    T.GAS: -950,
    T.AORTA: (42, 290, 150),
    T.VENA_CAVA: (40, 75, 130),
    T.PORTAL_VEIN: (42, 95, 155),
    T.OESOPHAGUS: (38, 50, 58),
    T.PANCREAS: (38, 92, 92),
    T.ADRENAL: (32, 62, 70),
    T.CYST: 8,
    T.LESION: (42, 58, 72),
}
MOTTLED = {T.FAECES: 110, T.BOWEL_FLUID: 22, T.STOMACH_CONTENT: 22, T.VISCERAL_FAT: 14, T.MARROW: 45, T.LUNG: 40}


def scan_ct(tissue: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """HU (Z, Y, X), int16, of a body on the fine grid (2Z, 2Y, 2X); the contrast phase is random."""
    phase = rng.choice(len(PHASES), p=(0.15, 0.2, 0.65))  # BTCV is mostly portal venous
    values = np.zeros(len(T), np.float32)
    spread = np.full(len(T), 5, np.float32)
    for kind, hounsfield in HOUNSFIELD.items():
        values[kind] = hounsfield[phase] if isinstance(hounsfield, tuple) else hounsfield
    spread[[T.AIR, T.GAS]] = 0
    enhancing = values > 60
    values += spread * rng.standard_normal(len(T)) + enhancing * 0.08 * values * rng.standard_normal()
    values[T.LIVER] -= rng.exponential(12)  # steatosis
    if rng.random() < 0.4:  # oral contrast
        values[[T.STOMACH_CONTENT, T.BOWEL_FLUID]] += rng.uniform(60, 250, 2)
    image = voxel_mean(values[tissue])
    mottle = np.full(len(T), 4, np.float32)
    mottle[list(MOTTLED)] = list(MOTTLED.values())
    mottle[T.AIR] = 0
    image += voxel_mean(mottle[tissue]) * unit_noise(image.shape, (0.4, 1.2, 1.2), rng)
    image = gaussian_filter(image, (0, 0.45, 0.45))
    image += rng.uniform(5, 18) * unit_noise(image.shape, (0.2, 0.7, 0.7), rng)
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def unit_noise(shape: tuple[int, ...], sigma: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Correlated Gaussian noise of unit standard deviation; ``sigma`` in voxels."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
    return noise / noise.std()
