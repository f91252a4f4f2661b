"""nnU-Net's networks that ``mass_nnunet plan --preset`` chooses from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One of nnU-Net's networks for all modalities, and the memory that nnU-Net plans it for."""

    residual: bool
    """Whether its encoders are residual."""
    gigabytes: float | None
    """Default of ``--gpu-memory``; None for no limit."""


PRESETS = {
    "plain": Preset(residual=False, gigabytes=None),
    "ResEncM": Preset(residual=True, gigabytes=8.0),
    "ResEncL": Preset(residual=True, gigabytes=24.0),
}
"""``--preset``. As in nnU-Net, ResEncM and ResEncL are one network for GPUs of different memory."""
