"""Every module of datasets/ is a converter, and is offered by the command."""

import argparse
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

from dicom_export import write_series
from mass_nnunet.dataset_conversion import datasets
from mass_nnunet.dataset_conversion.command import CONVERTERS
from mass_nnunet.dataset_conversion.converter import Converter
from native_trees import (
    BTCV_VALUES,
    btcv_tree,
    organs,
    scan,
    source,
    write,
    write_amos_case,
    write_chaos_patient,
    write_subject,
)

WORDS = {
    "btcv": ["-d", "801"],
    "chaos": ["-d", "802"],
    "amos": ["-d", "803", "804"],
    "mmwhs": ["-d", "805", "806"],
    "totalsegmentator": ["-d", "807"],
    "dicom": ["-d", "807", "--modality", "CT", "--licence", "L", "--reference", "R"],
    "nifti": ["-d", "807", "--modality", "CT", "--labels", "spleen=1", "--licence", "L", "--reference", "R"],
}
converters = pytest.mark.parametrize("converter", CONVERTERS, ids=lambda converter: converter.NAME)


def test_the_command_offers_every_module_of_datasets_once():
    modules = [import_module(f"{datasets.__name__}.{found.name}") for found in pkgutil.iter_modules(datasets.__path__)]
    assert sorted(module.NAME for module in modules) == sorted(converter.NAME for converter in CONVERTERS)
    assert set(modules) == set(CONVERTERS)


@converters
def test_a_converter_has_all_that_the_protocol_asks_for(converter):
    assert isinstance(converter, Converter)
    assert converter.__doc__ and converter.NAME.isidentifier() and "\n" not in converter.TITLE
    for method in ("add_arguments", "targets"):
        wanted = list(inspect.signature(getattr(Converter, method)).parameters)[1:]  # without self
        assert list(inspect.signature(getattr(converter, method)).parameters) == wanted


def test_a_module_that_lacks_something_is_no_converter():
    lacking = argparse.Namespace(NAME="x", TITLE="x", LICENCE=None, add_arguments=print, targets=print)
    assert not isinstance(lacking, Converter)


def sample(name: str, root: Path) -> Path:
    """A small source of each converter."""
    if name == "btcv":
        btcv_tree(root)
    elif name == "chaos":
        write_chaos_patient(root / "Train_Sets/MR/1")
    elif name == "amos":
        for number in (1, 500):
            write_amos_case(root, "Tr", number, scan(), organs(BTCV_VALUES))
    elif name == "mmwhs":
        for prefix in ("ct", "mr"):
            write(scan(), root / f"{prefix}_train_1001_image.nii.gz")
    elif name == "totalsegmentator":
        write_subject(root, "s0000")
    elif name == "dicom":
        write_series(scan(), root)
    else:
        write(scan(), root / "a.nii.gz")
    return root


@converters
def test_its_targets_state_licence_and_reference(converter, tmp_path):
    parser = argparse.ArgumentParser()
    converter.add_arguments(parser)
    found = converter.targets(source(sample(converter.NAME, tmp_path)), parser.parse_args(WORDS[converter.NAME]))
    assert found
    for target in found:
        assert (target.licence, target.reference) == (converter.LICENCE or "L", converter.REFERENCE or "R")
        assert target.cases
