import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.readers.nifti_case import NiftiCase
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, organs, same_content, scan, write

TABLE = {value: value for value in LABELS.values()}


def case(folder, label: sitk.Image | None, image: sitk.Image | None = None) -> NiftiCase:
    files = {"image": write(image or scan(), folder / "image.nii.gz")}
    if label is not None:
        files["label"] = write(label, folder / "label.nii.gz")
    return NiftiCase(name="a", patient="a", table=TABLE, **files)


@pytest.mark.parametrize("codes", AXIS_CODES[::5])
def test_a_label_stored_along_other_axes_is_turned_back(tmp_path, codes):
    image, label, notes = case(tmp_path, sitk.DICOMOrient(organs(LABELS), codes)).read()
    assert notes == ()
    assert label.GetDirection() == image.GetDirection()
    assert same_content(label, organs(LABELS))


def test_without_labels(tmp_path):
    assert case(tmp_path, None).read()[1:] == (None, ())
    assert [path.name for path in case(tmp_path, organs(LABELS)).files()] == ["image.nii.gz", "label.nii.gz"]


@pytest.mark.parametrize(("shift", "noted"), [(1e-3, False), (0.2, True), (0.7, True)])
def test_a_header_that_differs_a_little_is_that_of_the_image(tmp_path, shift, noted):
    label = organs(LABELS)
    label.SetOrigin([label.GetOrigin()[0] + shift, *label.GetOrigin()[1:]])
    image, read, notes = case(tmp_path, label).read()
    assert read.GetOrigin() == image.GetOrigin()
    assert len(notes) == noted
    assert not noted or f"label.nii.gz differs by {shift / 1.5:.2f} voxels: that of the image is taken" in notes[0]


def test_another_grid_is_refused(tmp_path):
    label = organs(LABELS)
    label.SetOrigin([label.GetOrigin()[0] + 0.8, *label.GetOrigin()[1:]])
    with pytest.raises(
        UserError, match=r"label.nii.gz \(24 x 24 x 6 .* at -19.2 x 7 x 100.*\) is not on the grid of .*image.nii.gz"
    ):
        case(tmp_path, label).read()
    with pytest.raises(UserError, match=r"label.nii.gz \(23 x 24 x 6 voxels"):
        case(tmp_path, organs(LABELS)[1:]).read()


def test_an_empty_label(tmp_path):
    with pytest.raises(UserError, match=r"label.nii.gz has no annotated voxel"):
        case(tmp_path, organs(dict.fromkeys(LABELS, 0))).read()


def test_labels_close_to_whole_numbers_are_rounded_with_a_note(tmp_path):
    label = sitk.Cast(organs(LABELS), sitk.sitkFloat64) * (1 - 1e-6)
    _, read, (note,) = case(tmp_path, label).read()
    assert same_content(read, organs(LABELS))
    assert note.startswith(f"{tmp_path / 'label.nii.gz'} holds values close to whole numbers, such as ")
