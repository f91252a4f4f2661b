"""mass_nnunet.data.stored_grid: a label map that lies elsewhere, or along other axes, than its scan."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.stored_grid import check_same_grid, stored_grid
from mass_nnunet.data.volume import corners
from mass_nnunet.errors import UserError


@pytest.fixture(params=[".nii.gz", ".nrrd"])
def files(tmp_path, request):
    """A scan and its label map."""
    image = sitk.GetImageFromArray(np.zeros((6, 8, 8), np.int16))
    image.SetSpacing((2.0, 2.0, 5.0))
    image.SetOrigin((10.0, -20.0, 30.0))
    found = tmp_path / f"scan{request.param}", tmp_path / f"label{request.param}"
    for file in found:
        sitk.WriteImage(image, str(file))
    return found


def change(file, edit) -> None:
    sitk.WriteImage(edit(sitk.ReadImage(str(file))), str(file))


def moved(x):
    def edit(image):
        image.SetOrigin((10.0 + x, -20.0, 30.0))
        return image

    return edit


def test_the_grid_is_that_of_the_voxels(files):
    image = sitk.ReadImage(str(files[0]))
    grid = stored_grid(files[0])
    assert (grid.size, grid.spacing, grid.volume) == ((8, 8, 6), (2, 2, 5), 8 * 8 * 6 * 20)
    np.testing.assert_allclose(grid.corners, corners(image), atol=1e-5)


@pytest.mark.parametrize("x", [0, 0.9])
def test_a_label_map_on_the_grid_of_its_scan(files, x):
    change(files[1], moved(x))
    check_same_grid(*files, "label map", turned=False)


def test_a_label_map_elsewhere(files):
    change(files[1], moved(40))
    line = f"^{files[1]} is not where {files[0]} is, by 40 mm: get the label map that belongs to this scan, or correct"
    with pytest.raises(UserError, match=line):
        check_same_grid(*files, "label map", turned=True)


def test_a_label_map_of_another_size(files):
    change(files[1], lambda image: image[:, :, :5])
    line = "label.* has 5 x 8 x 8 voxels, and its scan 6 x 8 x 8: get the label map that belongs to the scan"
    with pytest.raises(UserError, match=line):
        check_same_grid(*files, "label map", turned=True)


@pytest.mark.parametrize(
    "edit",
    [
        lambda image: sitk.DICOMOrient(image, "RPS"),
        lambda image: sitk.PermuteAxes(image, [1, 0, 2]),
        lambda image: sitk.PermuteAxes(image, [2, 0, 1]),
    ],
)
def test_a_label_map_along_other_axes_is_right_where_the_reader_turns_it(files, edit):
    """Where two axes have the same length, the header alone tells that it is stored otherwise."""
    change(files[1], edit)
    check_same_grid(*files, "label map", turned=True)
    with pytest.raises(UserError, match=f"^the axes of {files[1]} run differently from those of {files[0]}, and the"):
        check_same_grid(*files, "label map", turned=False)


def test_what_is_no_volume(tmp_path):
    flat, damaged = tmp_path / "flat.nrrd", tmp_path / "damaged.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((6, 8), np.int16)), str(flat))
    damaged.write_bytes(b"NRRD")
    with pytest.raises(UserError, match=r"flat.nrrd is not one three-dimensional scan \(size 6 x 8\): split it first"):
        stored_grid(flat)
    with pytest.raises(UserError, match=r"damaged.nrrd cannot be read: copy"):
        stored_grid(damaged)
