"""The grids of experiments/low_label.py, which is a script beside the package."""

from argparse import Namespace

import pytest

from mass_nnunet import trainers
from scripts import load_script


@pytest.fixture
def low_label():
    return load_script("low_label")


def test_synthetic_ct_is_tested_in_its_own_group_only(low_label, tmp_path):
    args = Namespace(
        methods=low_label.DEFAULT_METHODS,
        seeds=2,
        device="cpu",
        inference=("segmentation",),
        label_rates=(0.1, 0.5),
        real_label_rates=(0.15,),
    )
    phantom, real = (low_label.grid_of(tmp_path / name, args) for name in ("phantom", "real_0"))
    assert (phantom.datasets, phantom.label_rates) == ((801, 802), (0.1, 0.5))
    assert (real.datasets, real.label_rates) == ((802,), (0.15,))
    assert len(phantom.cells) == 2 * 2 * len(low_label.DEFAULT_METHODS)
    assert phantom.output == tmp_path / "phantom" / "benchmark"


def test_every_default_method_is_a_trainer(low_label):
    assert set(low_label.DEFAULT_METHODS) <= set(trainers.__all__)
