from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from dicom_export import save, write_enhanced, write_series
from mass_nnunet.dataset_conversion.dicom.instance import read_instance
from mass_nnunet.dataset_conversion.dicom.stacks import stacks_of
from mass_nnunet.dataset_conversion.dicom.voxels import image_of, read_voxels, slices_of
from mass_nnunet.errors import UserError
from native_trees import SHAPE, same_content, scan, volume

LARGE = volume(np.random.default_rng(0).integers(-1000, 1000, (4, 64, 64)).astype(np.int16))
ITK_COMPRESSORS = {JPEGLosslessSV1: "JPEG", JPEG2000Lossless: "JPEG2000"}


def stack_of(paths):
    (stack,) = stacks_of([plane for path in paths for plane in read_instance(path).planes], "series 1")
    return stack


def encode(path: Path, syntax: str) -> None:
    """The same slice in another transfer syntax."""
    dataset = dcmread(path)
    if syntax in ITK_COMPRESSORS:  # pydicom has no encoder without another library
        writer = sitk.ImageFileWriter()
        writer.UseCompressionOn()
        writer.SetCompressor(ITK_COMPRESSORS[syntax])
        writer.SetFileName(str(path.with_suffix(".itk.dcm")))
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(1, dataset.Rows, dataset.Columns)
        writer.Execute(sitk.GetImageFromArray(stored))
        encoded = dcmread(path.with_suffix(".itk.dcm"))
        path.with_suffix(".itk.dcm").unlink()
        assert encoded.file_meta.TransferSyntaxUID == syntax
        dataset.PixelData = encoded.PixelData
        dataset["PixelData"].is_undefined_length = True
    elif syntax in (RLELossless, JPEGLSLossless):
        dataset.compress(syntax)
    elif syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(path, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
        return
    dataset.file_meta.TransferSyntaxUID = syntax
    save(dataset, path)


@pytest.mark.parametrize(
    "syntax",
    [
        *(ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
        *(RLELossless, JPEGLosslessSV1, JPEG2000Lossless, JPEGLSLossless),
    ],
    ids=lambda syntax: syntax.keyword,
)
def test_transfer_syntaxes(syntax, tmp_path):
    if syntax == JPEGLSLossless:
        pytest.importorskip("jpeg_ls")
    paths = write_series(LARGE, tmp_path)
    for path in paths:
        encode(path, syntax)
    stack = stack_of(paths)
    assert np.array_equal(read_voxels(stack, "series 1"), sitk.GetArrayFromImage(LARGE))


def test_a_syntax_that_nothing_here_decodes(tmp_path):
    paths = write_series(LARGE, tmp_path)
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(RLELossless)
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
        save(dataset, path)
    with pytest.raises(UserError, match=r"^series 1/slice 4 (is compressed as|cannot be read)"):
        read_voxels(stack_of(paths), "series 1")


def test_compressed_frames(tmp_path):
    path = write_enhanced(LARGE, tmp_path / "e", change=lambda dataset: dataset.compress(RLELossless))
    found = read_voxels(stack_of([path]), "series 1")
    assert np.array_equal(found, sitk.GetArrayFromImage(LARGE))


def test_frames_have_their_own_slopes(tmp_path):
    path = write_enhanced(scan(), tmp_path / "e", slopes=(1.0, 0.5, 0.25))
    found = read_voxels(stack_of([path]), "series 1")
    assert np.abs(found - sitk.GetArrayFromImage(scan())).max() <= 1


@pytest.mark.parametrize("tilt", [0.35, -0.35])
def test_the_slices_of_a_tilted_gantry_shifted_back_and_forth(tilt, tmp_path):
    """A plane of constant intensity in the patient is one in the result; a label comes back to its slices."""
    smooth = np.broadcast_to(np.arange(24)[None, :, None] * 40.0, SHAPE).copy()
    step = tilt * 3 / 2  # rows a slice
    for index in range(SHAPE[0]):
        smooth[index] += index * step * 40
    stack = stack_of(write_series(volume(smooth.astype(np.int16)), tmp_path, tilt=tilt))
    image = image_of(stack, read_voxels(stack, "series 1"))
    rows = sitk.GetArrayFromImage(image)[:, 9:15, 12]
    assert np.abs(rows - rows[0]).max() <= 1
    label = np.zeros(SHAPE, np.uint8)
    label[:, 8:16, 5:20] = 1
    straight = np.zeros(image.GetSize()[::-1], np.uint8)
    straight[:, : SHAPE[1]] = label
    assert slices_of(stack, straight).shape == SHAPE


def test_slices_at_right_angles_stay_as_they_are(tmp_path):
    stack = stack_of(write_series(scan(), tmp_path))
    image = image_of(stack, read_voxels(stack, "series 1"))
    assert same_content(image, scan())
    array = sitk.GetArrayFromImage(image)
    assert np.array_equal(slices_of(stack, array), array)
