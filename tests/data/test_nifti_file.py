import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.data.nifti_file import READ_ERRORS, check_end, checked_header, raw_values, sound_header
from mass_nnunet.errors import UserError
from native_trees import SHAPE, scan, write


@pytest.fixture
def path(tmp_path) -> Path:
    return write(scan(), tmp_path / "x.nii.gz")


def test_header_of_a_whole_file(path):
    assert checked_header(path).get_data_shape() == SHAPE[::-1]
    assert (sitk.GetArrayFromImage(scan()) == raw_values(path).T).all()


@pytest.mark.parametrize("missing", [1, 100, 6000])
def test_voxels_that_are_missing(path, missing):
    """All bytes count: the header's 352 do not make up for the last of the voxels."""
    content = gzip.decompress(path.read_bytes())
    assert len(content) == 352 + 2 * 6 * 24 * 24
    path.write_bytes(gzip.compress(content[:-missing]))
    with pytest.raises(OSError, match="it ends too early"):
        checked_header(path)


@pytest.mark.parametrize("content", [b"", b"x" * 400, gzip.compress(b"x" * 400, mtime=0), gzip.compress(b"", mtime=0)])
def test_what_is_no_nifti_file(path, content):
    path.write_bytes(content)
    with pytest.raises(READ_ERRORS):
        checked_header(path)


def test_voxels_inside_of_the_header(path):
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[108:112] = bytes(4)  # vox_offset
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(UserError, match=r"has an invalid offset of its voxels \(vox_offset\): correct its header"):
        checked_header(path)


def test_the_end_of_a_file_that_was_written(path):
    voxels = scan().GetNumberOfPixels() * 2
    check_end(path, voxels)
    for cut in (1, 2, 500):
        path.write_bytes(path.read_bytes()[:-cut])
        with pytest.raises(OSError, match="it ends too early"):
            check_end(path, voxels)


@pytest.mark.parametrize(
    ("unit", "word"), [("micron", "micron"), ("meter", "meter"), ("mm", None), ("unknown", None), ("sec", None)]
)
def test_a_unit_that_nibabel_takes_for_mm(path, unit, word):
    image = nibabel.load(path)
    image = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine)
    image.header.set_xyzt_units(t=unit) if unit == "sec" else image.header.set_xyzt_units(unit, "sec")
    nibabel.save(image, path)
    if word is None:
        checked_header(path)
    else:
        with pytest.raises(UserError, match=f"x.nii.gz gives its voxel size in {word}, which nnU-Net takes for mm"):
            checked_header(path)


@pytest.mark.parametrize("name", ["x.nii.gz", "X.NII.GZ", "x.nii", "X.NII"])
def test_a_name_that_does_not_say_whether_the_file_is_compressed(path, name):
    plain = gzip.decompress(path.read_bytes())
    other, named = path.with_name(name), name.lower().endswith(".gz")
    other.write_bytes(gzip.compress(plain) if named else plain)
    assert checked_header(other).get_data_shape() == SHAPE[::-1]
    other.write_bytes(plain if named else gzip.compress(plain))
    reason = "is not compressed: rename it to [xX].*, or compress it" if named else "is compressed, .*: rename it"
    with pytest.raises(UserError, match=f"{name} {reason}"):
        checked_header(other)


def test_other_kinds_of_nifti(path):
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti2Image(np.asarray(image.dataobj), image.affine), path.with_name("two.nii"))
    with pytest.raises(UserError, match=r"two.nii is a NIfTI-2 file, .*: save it as NIfTI-1"):
        checked_header(path.with_name("two.nii"))
    content = bytearray(gzip.decompress(path.read_bytes()))
    for magic, kind in ((b"ni1\0", "the header of a pair"), (bytes(4), "an Analyze file")):
        content[344:348] = magic
        path.write_bytes(gzip.compress(bytes(content)))
        with pytest.raises(UserError, match=f"x.nii.gz is {kind}.*: save it as NIfTI in one file"):
            checked_header(path)


def test_a_sound_header_says_nothing_of_the_voxels(path):
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:400]))
    assert sound_header(path).get_data_shape() == SHAPE[::-1]
