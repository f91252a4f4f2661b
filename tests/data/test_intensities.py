import pytest

from mass_nnunet.data.intensities import is_ct


@pytest.mark.parametrize(("modality", "expected"), [("CT", True), ("ct", True), ("MRI", False), ("CTA", False)])
def test_ct_is_what_nnunet_takes_for_ct(modality, expected):
    assert is_ct(modality) is expected
