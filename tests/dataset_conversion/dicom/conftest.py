import pytest

from dicom_export import write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from mass_nnunet.dataset_conversion.dicom.stacks import stacks_of
from native_trees import scan


@pytest.fixture
def slices(tmp_path):
    return write_series(scan(), tmp_path / "ct")


@pytest.fixture
def stack(slices):
    (found,) = stacks_of([plane for path in slices for plane in read_instance(path).planes], "series 1")
    return found
