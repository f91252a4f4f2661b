"""mass_nnunet.dataset_conversion.readers.dicom_slice: the header and the pixels of a file."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mass_nnunet.dataset_conversion.readers.dicom_slice import echo_time, pixel_bytes, read_header, read_slice
from mass_nnunet.errors import UserError
from native_trees import scan, write
from native_trees import write_slices as write_dicom

PIXELS = b"\xe0\x7f\x10\x00"  # the tag of the pixels


@pytest.mark.parametrize("missing", [2, 600])
def test_pixels_that_are_missing_from_a_sound_file(tmp_path, missing):
    (path,) = write_dicom(scan()[:, :, :1], tmp_path, "s{}.dcm")
    content = path.read_bytes()
    start = content.rindex(PIXELS)
    head, pixels = content[: start + 4], content[start + 8 :]  # tag; length; pixels
    assert len(pixels) == 2 * 24 * 24
    fewer = pixels[:-missing]
    path.write_bytes(head + len(fewer).to_bytes(4, "little") + fewer)
    assert sitk.ReadImage(str(path)).GetSize() == (24, 24, 1)  # SimpleITK has nothing to say
    with pytest.raises(UserError, match=r"s0.dcm cannot be read \(it ends too early\): copy or download"):
        read_slice(path)
    # The same bytes as the tag's among the pixels do not deceive.
    path.write_bytes(head + len(pixels).to_bytes(4, "little") + PIXELS + pixels[4:])
    read_slice(path)


def test_another_format_named_dcm(tmp_path):
    path = write(scan()[:, :, :1], tmp_path / "x.mha").rename(tmp_path / "x.dcm")
    with pytest.raises(UserError, match=r"x.dcm (has no position in its DICOM header|cannot be read)"):
        read_slice(path)


@pytest.fixture
def slice_file(tmp_path) -> Path:
    (path,) = write_dicom(scan()[:, :, :1], tmp_path, "s{}.dcm")
    return path


def rewritten(path: Path, syntax: str, **changes: object) -> Path:
    """The slice in another transfer syntax, with some elements changed."""
    dataset = dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_every_value_representation_has_its_length(slice_file, syntax):
    whole = 2 * 24 * 24
    path = rewritten(slice_file, syntax)
    assert pixel_bytes(path, read_header(path)) == whole
    read_slice(path)
    path.write_bytes(path.read_bytes()[:-2])
    assert pixel_bytes(path, read_header(path)) == whole - 2
    with pytest.raises(UserError, match=r"s0.dcm cannot be read \(it ends too early\)"):
        read_slice(path)
    for length in (whole - 10, 100):  # as the element says itself
        rewritten(path, syntax, PixelData=bytes(length))
        assert pixel_bytes(path, read_header(path)) == length
        with pytest.raises(UserError, match=r"s0.dcm cannot be read \(it ends too early\)"):
            read_slice(path)


def test_pixels_that_are_compressed_or_absent(slice_file):
    sitk.WriteImage(sitk.ReadImage(str(slice_file)), str(slice_file), useCompression=True)
    assert pixel_bytes(slice_file, read_header(slice_file)) == np.inf
    (without,) = write_dicom(scan()[:, :, :1], slice_file.parent / "other", "s{}.dcm")
    dataset = dcmread(without)
    del dataset.PixelData
    dataset.save_as(without)
    assert pixel_bytes(without, read_header(without)) == 0


def test_a_file_without_preamble_and_file_header_is_read_as_well(slice_file):
    whole = read_slice(slice_file)
    content = slice_file.read_bytes()
    slice_file.write_bytes(content[content.index(b"\x08\0\x16\0") :])
    bare = read_slice(slice_file)
    assert np.array_equal(bare.pixels, whole.pixels)


def test_several_slices_or_channels_in_one_file(slice_file):
    with pytest.raises(UserError, match=r"s0.dcm is not one gray-value slice \(size \(24, 24, 2\)\): give one file"):
        read_slice(rewritten(slice_file, ExplicitVRLittleEndian, NumberOfFrames=2))
    with pytest.raises(UserError, match="is not one gray-value slice"):
        read_slice(rewritten(slice_file, ExplicitVRLittleEndian, NumberOfFrames=1, SamplesPerPixel=3))


@pytest.mark.parametrize("content", [b"", b"x", b"<html>" * 500, bytes(2000), b"\xff" * 2000, bytes(128) + b"DICM\x02"])
def test_a_file_that_is_no_dicom(slice_file, content):
    slice_file.write_bytes(content)
    assert read_header(slice_file) is None
    with pytest.raises(UserError, match=r"s0.dcm cannot be read"):
        read_slice(slice_file)


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        ("0020|0032", "", "has no position in its DICOM header"),
        ("0020|0032", "1\\2\\x", "has no position in its DICOM header"),
        ("0020|0037", "1\\0\\0", "has no orientation in its DICOM header"),
        ("0020|0037", "0\\0\\0\\0\\0\\0", "has an invalid orientation"),
        ("0028|0030", "0\\0", "has the pixel spacing 0"),
    ],
)
def test_a_slice_without_a_place_in_space(tmp_path, tag, value, message):
    (path,) = write_dicom(scan()[:, :, :1], tmp_path, "s{}.dcm")
    content = path.read_bytes()
    old = sitk.ReadImage(str(path)).GetMetaData(tag).encode()
    at = content.index(bytes.fromhex("".join(p[2:] + p[:2] for p in tag.split("|")))) + 8
    assert content[at : at + len(old)] == old
    path.write_bytes(content[:at] + value.encode().ljust(len(old)) + content[at + len(old) :])
    with pytest.raises(UserError, match=rf"s0.dcm {message}.*: export it again"):
        read_slice(path)


def test_echo_time(tmp_path):
    paths = write_dicom(scan(), tmp_path, "s{}.dcm", echo="4.6")
    assert echo_time(paths[0]) == 4.6
    without = write_dicom(scan(), tmp_path / "none", "s{}.dcm", echo="")
    for path in (without[0], tmp_path / "absent.dcm"):
        with pytest.raises(UserError, match=r"has no echo time"):
            echo_time(path)


def damaged(path: Path, tag: int, vr: str, value: bytes) -> Path:
    """The slice with the raw bytes of one element exchanged."""
    dataset = dcmread(path)
    dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("value", [b"", b"\x18\x00\x18\x00", b"\x18\x00\x18"], ids=["empty", "two", "odd"])
@pytest.mark.parametrize(
    ("tag", "name"), [(0x00280010, "Rows"), (0x00280011, "Columns"), (0x00280100, "BitsAllocated")]
)
def test_a_size_that_is_no_number_is_told_in_one_line(slice_file, tag, name, value):
    path = damaged(slice_file, tag, "US", value)
    with pytest.raises(UserError, match=rf"s0.dcm cannot be read \(its DICOM header has no {name}\): copy or download"):
        read_slice(path)


def test_a_size_of_an_unknown_kind_of_value_is_told_in_one_line(slice_file):
    rewritten(slice_file, ExplicitVRLittleEndian)
    content = slice_file.read_bytes()
    bits = b"\x28\x00\x00\x01"  # the tag of BitsAllocated
    assert content.count(bits + b"US") == 1
    slice_file.write_bytes(content.replace(bits + b"US", bits + b"Us"))
    with pytest.raises(UserError, match=r"s0.dcm cannot be read \(its DICOM header has no BitsAllocated\): copy"):
        read_slice(slice_file)


@pytest.mark.parametrize("value", [b"abc ", b"1\\1 "])
def test_simpleitk_decides_where_the_number_of_frames_is_none(slice_file, value):
    assert read_slice(damaged(slice_file, 0x00280008, "IS", value)).pixels.shape == (24, 24)


def test_two_numbers_of_samples(slice_file):
    with pytest.raises(UserError, match=r"s0.dcm cannot be read"):
        read_slice(damaged(slice_file, 0x00280002, "US", b"\x02\x00\x02\x00"))
