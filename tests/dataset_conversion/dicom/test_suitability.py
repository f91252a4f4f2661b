from pathlib import Path

import pytest

from dicom_export import write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from mass_nnunet.dataset_conversion.dicom.stacks import stacks_of
from mass_nnunet.dataset_conversion.dicom.suitability import fault_of, reserve_of
from native_trees import scan


def series(folder: Path, **elements):
    found = [read_instance(path) for path in write_series(scan(), folder, **elements)]
    (stack,) = stacks_of([plane for one in found for plane in one.planes], "series 1")
    return found, stack


def test_a_plain_scan(tmp_path):
    found, stack = series(tmp_path)
    assert fault_of(found, found, stack, "CT") == fault_of(found, found, stack, None) == reserve_of(found) == ""
    assert fault_of(found, found, stack, "MR") == "CT, not MR"


@pytest.mark.parametrize(
    "image_type",
    [
        ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        ["DERIVED", "PRIMARY", "AXIAL"],  # after a lossy compression or a change of the header
        ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
        ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
    ],
)
def test_image_types_of_scans(image_type, tmp_path):
    found, _ = series(tmp_path, ImageType=image_type)
    assert reserve_of(found) == ""


@pytest.mark.parametrize(
    ("image_type", "word"),
    [
        (["DERIVED", "SECONDARY", "AXIAL", "MIP"], "MIP"),
        (["DERIVED", "SECONDARY", "MPR"], "MPR"),
        (["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "ADC"),
        (["ORIGINAL", "PRIMARY", "P", "ND"], "P"),
        (["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"], "PHASE MAP"),
    ],
)
def test_image_types_of_derived_images(image_type, word, tmp_path):
    found, _ = series(tmp_path, ImageType=image_type)
    assert reserve_of(found) == f"derived from other images ({word})"


@pytest.mark.parametrize("description", ["Scout", "Topogram 0.6 T20s", "3-plane localizer", "t2 Survey"])
def test_descriptions_of_localizers(description, tmp_path):
    found, _ = series(tmp_path, SeriesDescription=description)
    assert reserve_of(found) == "a localizer, by its description"


@pytest.mark.parametrize(
    ("photometric", "fault"),
    [
        ("MONOCHROME1", "stored as negatives (MONOCHROME1)"),
        ("PALETTE COLOR", "in colour"),
        ("MONOCHROME2 ", ""),
        (None, ""),
    ],
)
def test_gray_values_that_do_not_grow_with_the_intensity(photometric, fault, tmp_path):
    found, stack = series(tmp_path, PhotometricInterpretation=photometric)
    assert fault_of(found, found, stack, "CT") == fault
