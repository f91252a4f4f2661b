"""Tissues are indices of tables, and the organs have the label values that BTCV is read by."""

from mass_nnunet.dataset_conversion.datasets.btcv import _ORGANS
from mass_nnunet.phantom.tissues import Btcv, Tissue


def test_tissues_are_numbered_without_gaps_from_air():
    assert [int(tissue) for tissue in Tissue] == list(range(len(Tissue)))
    assert Tissue.AIR == 0  # what is not painted


def test_the_organs_have_btcvs_values():
    assert {value: Btcv(value).name.lower() for value in _ORGANS} == _ORGANS
