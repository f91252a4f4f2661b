"""The numbers of the demo."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Size of the phantom and length of the trainings; the defaults take about 12 minutes on 2 CPU cores."""

    labelled_per_modality: int = 20  # annotated scans, including test scans and those with hidden labels
    unlabelled_per_modality: int = 4  # scans without annotation
    size: tuple[int, int, int] = (32, 128, 128)  # voxels (Z, Y, X) of a scan
    seed: int = 0  # seed of the phantom
    label_rate: float = 0.15
    patch_size: tuple[int, int, int] = (16, 64, 64)  # (Z, Y, X)
    features: int = 16
    epochs: int = 20
    iterations: int = 10  # per epoch


TINY = Settings(
    labelled_per_modality=5,
    unlabelled_per_modality=1,
    size=(16, 48, 48),
    label_rate=0.5,
    patch_size=(8, 32, 32),
    features=4,
    epochs=2,
    iterations=2,
)
"""The shortest possible steps, for tests; the models are useless."""
