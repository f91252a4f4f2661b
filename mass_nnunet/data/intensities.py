"""What the intensities of a scan are: Hounsfield units in CT, arbitrary elsewhere."""

from nnunetv2.preprocessing.normalization.default_normalization_schemes import CTNormalization
from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme

SOFT_TISSUE = (-200.0, 300.0)
"""HU of fat, muscle, organs and enhanced vessels; beyond it all is air or bone."""


def is_ct(modality: str) -> bool:
    """Whether nnU-Net takes the intensities of a channel of this name for HU."""
    return get_normalization_scheme(modality) is CTNormalization
