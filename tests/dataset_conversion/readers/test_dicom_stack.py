from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.readers.dicom_slice import echo_time, read_slice
from mass_nnunet.dataset_conversion.readers.dicom_stack import (
    natural_key,
    pair_by_name,
    read_labelled_stack,
    read_plane,
    read_stack,
)
from mass_nnunet.errors import UserError
from native_trees import AXIS_CODES, ORIGIN, SHARED_DATA, SPACING, organs, same_content, scan, write, write_planes
from native_trees import write_slices as write_dicom

GRAYS = {"spleen": 10, "right_kidney": 20, "left_kidney": 30, "liver": 40}


def keep(plane: np.ndarray, path: Path) -> np.ndarray:
    return plane


def tilted(image: sitk.Image) -> sitk.Image:
    """The same voxels, turned by 20 degrees about the x axis: an oblique series."""
    result = sitk.Image(image)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    result.SetDirection([1, 0, 0, 0, c, -s, 0, s, c])
    return result


def test_natural_order():
    names = ["b2.dcm", "b10.dcm", "a11,2.dcm", "a11,10.dcm", "A3.dcm"]
    assert [p.name for p in sorted(map(Path, names), key=natural_key)] == [
        *("A3.dcm", "a11,2.dcm", "a11,10.dcm"),
        *("b2.dcm", "b10.dcm"),
    ]


def test_pairing_needs_equal_counts_and_names_that_all_match_or_none():
    slices = [Path("d/s9.dcm"), Path("d/s10.dcm")]
    assert pair_by_name(slices, [Path("g/p1.png"), Path("g/p0.png")]) == [
        (slices[0], Path("g/p0.png")),
        (slices[1], Path("g/p1.png")),
    ]
    with pytest.raises(UserError, match=r"2 DICOM slices in d but 1 label planes in g"):
        pair_by_name(slices, [Path("g/p1.png")])
    with pytest.raises(UserError, match=r"g/s11.png has no DICOM slice"):
        pair_by_name(slices, [Path("g/s10.png"), Path("g/s11.png")])


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("image", [scan(), tilted(scan())], ids=["axial", "oblique"])
def test_stack_equals_the_volume_it_was_cut_from(tmp_path, image, downwards):
    write_dicom(image, tmp_path, "s{}.dcm", downwards=downwards)
    stack = read_stack(sorted(tmp_path.iterdir()))
    assert stack.GetSpacing() == pytest.approx(SPACING, abs=1e-4)  # the step is 3 mm, SliceThickness says 1 mm
    assert stack.GetOrigin() == pytest.approx(ORIGIN, abs=1e-4)
    assert stack.GetDirection() == pytest.approx(image.GetDirection(), abs=1e-4)
    assert np.array_equal(sitk.GetArrayFromImage(stack), sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("codes", AXIS_CODES[::5])
def test_any_plane_and_direction(tmp_path, codes):
    image, label = (sitk.DICOMOrient(volume, codes) for volume in (scan(), organs(GRAYS)))
    pairs = pair_by_name(
        write_dicom(image, tmp_path / "d", "s{}.dcm"), write_planes(label, tmp_path / "g", "liver_GT_{:03d}.png")
    )
    stack, stacked_label = read_labelled_stack(pairs, keep)
    assert same_content(stack, scan())
    assert same_content(stacked_label, organs(GRAYS))


def test_names_pair_and_positions_stack(tmp_path):
    """File 0 is the top slice, for DICOM and PNG alike."""
    pairs = pair_by_name(
        write_dicom(scan(), tmp_path / "d", "i{:04d},0000b.dcm", downwards=True),
        write_planes(organs(GRAYS), tmp_path / "g", "liver_GT_{:03d}.png", downwards=True),
    )
    image, label = read_labelled_stack(pairs, keep)
    assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(scan()))
    assert np.array_equal(sitk.GetArrayFromImage(label), sitk.GetArrayFromImage(organs(GRAYS)))
    assert label.GetPixelID() == sitk.sitkUInt8


def test_missing_doubled_and_foreign_slices(tmp_path):
    paths = write_dicom(scan(), tmp_path, "s{}.dcm")
    with pytest.raises(UserError, match=r"s2.dcm and s4.dcm are 6.00 mm apart, the other slices 3.00 mm"):
        read_stack(paths[:3] + paths[4:])
    copy = tmp_path / "s9.dcm"
    copy.write_bytes(paths[3].read_bytes())
    with pytest.raises(UserError, match=r"s3.dcm and s9.dcm lie at the same position"):
        read_stack([*paths, copy])
    other = write_dicom(scan()[:20], tmp_path / "other", "s{}.dcm")
    with pytest.raises(UserError, match=r"other/s5.dcm differs from .*s0.dcm in size"):
        read_stack([*paths[:5], other[5]])
    turned = write_dicom(tilted(scan()), tmp_path / "turned", "s{}.dcm")
    with pytest.raises(UserError, match=r"orientation"):
        read_stack([*paths[:5], turned[5]])


def test_sideways_shift(tmp_path):
    paths = write_dicom(scan(), tmp_path, "s{}.dcm")
    moved = scan()
    moved.SetOrigin((ORIGIN[0] + 0.5, *ORIGIN[1:]))
    shifted = write_dicom(moved, tmp_path / "moved", "s{}.dcm")
    with pytest.raises(UserError, match=r"moved/s5.dcm is shifted sideways"):
        read_stack([*paths[:5], shifted[5]])


def test_one_slice_keeps_the_step_of_its_header(tmp_path):
    assert read_stack(write_dicom(scan()[:, :, 2:3], tmp_path, "s{}.dcm")).GetSize()[2] == 1


def test_planes_of_the_wrong_kind(tmp_path):
    slices = write_dicom(scan(), tmp_path / "d", "s{}.dcm")
    planes = write_planes(organs(GRAYS)[:, :20], tmp_path / "g", "s{}.png")
    with pytest.raises(UserError, match=r"s0.png has \(20, 24\) rows and columns, but .*s0.dcm \(24, 24\)"):
        read_labelled_stack(pair_by_name(slices, planes), keep)
    colour = write(sitk.Compose(*[organs(GRAYS)[:, :, 0]] * 3), tmp_path / "colour.png")
    with pytest.raises(UserError, match=r"colour.png is not a gray-value image"):
        read_plane(colour)
    with pytest.raises(UserError, match=r"s0.png is not one gray-value slice"):
        read_slice(planes[0])
    slices[0].write_bytes(slices[0].read_bytes()[:300])
    with pytest.raises(UserError, match=r"s0.dcm cannot be read"):
        read_slice(slices[0])


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_real_ct_with_files_that_run_against_the_positions():
    folder = SHARED_DATA / "chaos_ct_native/Train_Sets/CT/1"
    pairs = pair_by_name(list(folder.glob("DICOM_anon/*.dcm")), list(folder.glob("Ground/*.png")))
    image, label = read_labelled_stack(pairs, lambda plane, _: (plane > 0).astype(np.uint8))
    assert image.GetSize() == (512, 512, 78)
    assert image.GetSpacing()[2] == pytest.approx(2.0)  # SliceThickness says 3.2
    liver = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(label) == 1]
    assert 50 < np.median(liver) < 200
    assert np.std(liver) == pytest.approx(34, abs=3)  # 248 if paired by position


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_real_mr_slice():
    folder = SHARED_DATA / "chaos_mr_slice"
    pairs = pair_by_name(list(folder.glob("DICOM_anon/*.dcm")), list(folder.glob("Ground/*.png")))
    image, label = read_labelled_stack(pairs, keep)
    assert image.GetSpacing() == pytest.approx((1.89453125, 1.89453125, 5.5))
    assert set(np.unique(sitk.GetArrayFromImage(label))) == {0, 63, 126, 189, 252}
    assert echo_time(pairs[0][0]) == pytest.approx(4.6, abs=0.1)
