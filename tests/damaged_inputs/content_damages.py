"""Damages within a file or a series: parts that are missing, misplaced or have wrong values."""

from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from file_edits import (
    both,
    compress,
    corner,
    corrupt,
    cut,
    double,
    edit,
    gunzip,
    make_folder,
    make_pipe,
    on,
    on_all,
    one_folder,
    placed,
    put,
    remove,
    rename,
    reverse,
    save_nifti,
    save_nifti_2,
    set_dicom,
    set_header,
    shear,
    shorten_pixels,
    swap,
    unpack,
)
from native_trees import (
    BTCV_VALUES,
    CHAOS_GRAYS,
    SHAPE,
    mirrored,
    organs,
    scan,
    write_btcv_case,
    write_slices,
)
from refused_input import Damage
from sound_datasets import ECHO, GROUND, HEART, IMAGE, LABEL, MASK, PLANE, SERIES, SLICE, SOURCES, T1

_AGAIN = "cannot be read (...): copy or download it again"
_SHORT = "cannot be read (it ends too early): copy or download it again"
_NO_PLACE = "in its DICOM header: export it again"
_SIDES = "its orientation or its label values are wrong; correct or remove it"
_GRID = f"is not on the grid of ...src/{IMAGE} (...): get the label map that belongs to this scan"
_GAP = "00002.dcm and IMG-0002-00004.dcm are 6.00 mm apart, ...: a slice is missing or misplaced; copy the series again"
_COUNTS = f"DICOM slices in ...src/{SERIES} but {{}} label planes in ...src/{GROUND}: ...; copy the case again"
_CORRECT = "which is no known label: correct or remove the file"
_NO_LABELS = "has no annotated voxel: get the right file, or remove it to use the scan without labels"
_HEADER = "correct its header"
_NOT_3D = "is not one three-dimensional scan (size {}...): split it first"
_FLAT = "3D only, make a volume of all slices"
_NOT_FINITE = "holds ... not finite ...: repair or remove it"
_T1 = ("--sequences", "T1IN")
_RGB = [(channel, "u1") for channel in "RGB"]
_RIGHT, _LEFT = CHAOS_GRAYS["right_kidney"], CHAOS_GRAYS["left_kidney"]

btcv, chaos, amos, mmwhs, nifti, masks, *_ = (partial(Damage, source) for source in SOURCES)
CONTENT_DAMAGES = [
    # Files that are not whole.
    btcv("NIfTI (.nii.gz) cut short", on(IMAGE, cut, 500), f"src/{IMAGE} {_AGAIN}"),
    btcv("NIfTI (.nii) cut short", lambda src: cut(unpack(src / IMAGE), 500), f"img0002.nii {_SHORT}"),
    btcv("NIfTI (.nii) that lacks 100 bytes", lambda src: cut(unpack(src / IMAGE), 100), f"img0002.nii {_SHORT}"),
    btcv("label map cut short", on(LABEL, cut, 20), f"src/{LABEL} {_AGAIN}"),
    btcv("NIfTI with a changed byte", on(IMAGE, corrupt), f"src/{IMAGE} {_AGAIN}"),
    btcv("empty file", on(IMAGE, Path.write_bytes, b""), f"src/{IMAGE} {_AGAIN}"),
    btcv("web page named .nii.gz", on(IMAGE, Path.write_text, "<html>"), f"src/{IMAGE} {_AGAIN}"),
    btcv(
        "NIfTI named .nii.gz that is not compressed", on(IMAGE, gunzip), f"src/{IMAGE} is not compressed: rename it ..."
    ),
    btcv(
        "compressed NIfTI named .nii",
        lambda src: rename(src / IMAGE, "img0002.nii"),
        "img0002.nii is compressed, but its name does not end with .gz: rename it to img0002.nii.gz",
    ),
    btcv("NIfTI-2", on(IMAGE, save_nifti_2), f"src/{IMAGE} is a NIfTI-2 file, ...: save it as NIfTI-1"),
    btcv("Analyze file named .nii.gz", on(IMAGE, set_header, 344, 0, form="i"), f"src/{IMAGE} is an Analyze file: ..."),
    btcv(
        "header of a pair of NIfTI files",
        on(IMAGE, set_header, 344, int.from_bytes(b"ni1\0", "little"), form="i"),
        f"src/{IMAGE} is the header of a pair of files (.hdr, .img): save it as NIfTI in one file",
    ),
    btcv("named pipe", on(IMAGE, make_pipe), f"src/{IMAGE} is no file: remove it, ...", posix=True),
    btcv("folder named .nii.gz", on(IMAGE, make_folder), f"src/{IMAGE} ...: ..."),
    chaos("DICOM cut short", on(SLICE, cut, 500), f"src/{SLICE} {_AGAIN}"),
    chaos("DICOM with half of its pixels, else well-formed", on(SLICE, shorten_pixels, 576), f"src/{SLICE} {_SHORT}"),
    chaos("DICOM with all but one of its pixels", on(SLICE, shorten_pixels, 2), f"src/{SLICE} {_SHORT}"),
    chaos("compressed DICOM cut short", lambda src: cut(compress(src / SLICE), 100), f"src/{SLICE} {_AGAIN}"),
    chaos("text file named .dcm", on(SLICE, Path.write_text, "x"), f"src/{SLICE} {_AGAIN}"),
    chaos("PNG cut short", on(PLANE, cut, 5), f"src/{PLANE} {_AGAIN}"),
    # Series that are not whole, or more than one.
    chaos("DICOM slice missing, and its PNG", both(on(SLICE, remove), on(PLANE, remove)), _GAP),
    chaos("DICOM slice missing, of a scan without labels", both(on(SLICE, remove), on(GROUND, remove)), _GAP),
    chaos("DICOM slice missing, but not its PNG", on(SLICE, remove), f"5 {_COUNTS.format(6)}"),
    chaos("PNG missing", on(PLANE, remove), f"6 {_COUNTS.format(5)}"),
    chaos(
        "DICOM slice missing, and another one's PNG",
        both(on(SLICE, remove), on(PLANE.replace("00003", "00004"), remove)),
        f"src/{PLANE} has no DICOM slice of that name in ...: copy the case again",
    ),
    chaos(
        "doubled DICOM slice and PNG",
        both(on(SLICE, double), on(PLANE, double)),
        "IMG-0002-00003.dcm and IMG-0002-00006.dcm lie at the same position: remove the doubled slice",
    ),
    chaos("no DICOM slice", on(SERIES, remove), f"src/{SERIES} holds no DICOM slice (*.dcm): copy the case again"),
    chaos(
        "two series of different size in one folder",
        both(on(GROUND, remove), lambda src: write_slices(scan()[2:], src / SERIES, "IMG-0003-{:05d}.dcm")),
        f"src/{SERIES}/... differs from ...src/{SERIES}/... in size, pixel spacing or orientation: "
        "put each series into a folder of its own",
    ),
    chaos(
        "T1 folder with one echo time",
        on(T1, one_folder, "InPhase"),
        f"src/{T1} does not hold two echo times, but 1: sort it into InPhase and OutPhase",
        _T1,
    ),
    chaos(
        "T1 folder with a slice without echo time",
        both(on(T1, one_folder, "InPhase", "OutPhase"), on(ECHO, set_dicom, b"\x18\0\x81\0", b"\x18\0\x82\0")),
        f"src/{ECHO} has no echo time in its DICOM header, ...: sort ... into InPhase and OutPhase",
        _T1,
    ),
    # DICOM headers.
    chaos(
        "DICOM without position",
        on(SLICE, set_dicom, b"\x20\0\x32\0", b"\x20\0\x33\0"),
        f"src/{SLICE} has no position {_NO_PLACE}",
    ),
    chaos(
        "DICOM without orientation",
        on(SLICE, set_dicom, b"\x20\0\x37\0", b"\x20\0\x38\0"),
        f"src/{SLICE} has no orientation {_NO_PLACE}",
    ),
    chaos(
        "DICOM without pixel spacing",
        on(SLICE, set_dicom, b"\x28\0\x30\0", b"\x28\0\x31\0"),
        f"src/{SLICE} has no pixel spacing {_NO_PLACE}",
    ),
    chaos(
        "DICOM with one number for pixel spacing",
        on(SLICE, set_dicom, b"2\\1.5", b"2.000"),
        f"src/{SLICE} has no pixel spacing {_NO_PLACE}",
    ),
    chaos(
        "DICOM with a pixel spacing that is no number",
        on(SLICE, set_dicom, b"2\\1.5", b"x\\y.z"),
        f"src/{SLICE} has no pixel spacing {_NO_PLACE}",
    ),
    chaos(
        "DICOM with a pixel spacing of zero",
        on_all(f"{SERIES}/*", set_dicom, b"2\\1.5", b"0\\0.0"),
        r"00000.dcm has the pixel spacing 0\0.0 mm: export it again",
    ),
    chaos(
        "DICOM with a position that is no number",
        on_all(f"{SERIES}/*", set_dicom, b"-20\\7\\1", b"x\\yyy\\1"),
        f"00000.dcm has no position {_NO_PLACE}",
    ),
    chaos(
        "DICOM with an orientation of zeros",
        on_all(f"{SERIES}/*", set_dicom, b"1\\0\\0\\0\\1\\0", b"0\\0\\0\\0\\0\\0"),
        r"00000.dcm has an invalid orientation, 0\0\0\0\0\0: export it again",
    ),
    chaos(
        "DICOM slice shifted sideways",
        on(SLICE, set_dicom, b"-20\\7\\10", b"-28\\7\\10"),
        f"src/{SLICE} is shifted sideways against IMG-0002-00002.dcm: a tilted gantry is not supported...",
    ),
    # PNG label planes.
    chaos(
        "PNG of another size",
        on(PLANE, put, sitk.Image(SHAPE[2] - 1, SHAPE[1], sitk.sitkUInt8)),
        f"src/{PLANE} has ..., but ...src/{SLICE} ...: copy the case again",
    ),
    chaos(
        "RGB PNG",
        on(PLANE, put, sitk.Compose([sitk.Image(SHAPE[2], SHAPE[1], sitk.sitkUInt8)] * 3)),
        f"src/{PLANE} is not a gray-value image of one channel: convert it to one",
    ),
    chaos("gray value 100", on(PLANE, edit, corner(100)), f"src/{PLANE} holds the value 100, {_CORRECT}"),
    chaos("black PNGs", on_all(f"{GROUND}/*", edit, np.zeros_like), f"src/{GROUND} {_NO_LABELS}"),
    chaos(
        "gray values of the kidneys swapped",
        on_all(f"{GROUND}/*", edit, swap(_RIGHT, _LEFT)),
        f"chaos_02_T2SPIR (...src/{GROUND}): the right kidney is not to the right of the left kidney: {_SIDES}",
    ),
    chaos(
        "PNGs in reverse order",
        on(GROUND, reverse),
        f"chaos_02_T2SPIR (...src/{GROUND}): the kidneys are not below the liver: {_SIDES}",
    ),
    # Label maps.
    btcv(
        "kidneys swapped",
        on(LABEL, edit, swap(2, 3)),
        f"btcv_0002 (...src/{LABEL}): the right kidney is not to the right of the left kidney: {_SIDES}",
    ),
    btcv(
        "liver and spleen swapped",
        on(LABEL, edit, swap(1, 6)),
        f"btcv_0002 (...src/{LABEL}): the liver is not to the right of the spleen: {_SIDES}",
    ),
    btcv(
        "mirrored scan",
        lambda src: write_btcv_case(src, 2, mirrored(scan(2)), mirrored(organs(BTCV_VALUES))),
        f"btcv_0002 (...src/{LABEL}): the right kidney is not to the right of the left kidney: {_SIDES}",
    ),
    btcv(
        "label map upside down",
        on(LABEL, edit, np.flipud),
        f"btcv_0002 (...src/{LABEL}): the kidneys are not below the liver: {_SIDES}",
    ),
    btcv(
        "label map back to front",
        on(LABEL, edit, np.fliplr),
        f"btcv_0002 (...src/{LABEL}): the kidneys are not behind the liver: {_SIDES}",
    ),
    btcv("empty label map", on(LABEL, edit, np.zeros_like), f"src/{LABEL} {_NO_LABELS}"),
    btcv("label value 14", on(LABEL, edit, corner(14)), f"src/{LABEL} holds the value 14, {_CORRECT}"),
    btcv("label value 1.0011", on(LABEL, edit, corner(1.0011)), f"src/{LABEL} holds the value 1.0011, {_CORRECT}"),
    btcv("label value 1.5", on(LABEL, edit, corner(1.5)), f"src/{LABEL} holds the value 1.5, {_CORRECT}"),
    mmwhs("label value 501 in a heart", on(HEART, edit, corner(501)), f"src/{HEART} holds the value 501, {_CORRECT}"),
    masks("value 2 in a mask", on(MASK, edit, corner(2)), f"src/{MASK} holds the value 2, {_CORRECT}"),
    masks(
        "two masks with common voxels",
        on(MASK, edit, np.ones_like),
        f"src/{MASK} has voxels in common with another organ of ...src/s0002: correct one of them",
    ),
    nifti(
        "label value that --labels does not name",
        on("labels/b.nii.gz", edit, corner(5)),
        "src/labels/b.nii.gz holds the value 5, which is no known label: ...",
    ),
    btcv("label map of another size", on(LABEL, put, organs(BTCV_VALUES)[1:]), f"src/{LABEL} (23 x ...) {_GRID}"),
    btcv(
        "label map of another origin",
        on(LABEL, put, placed(organs(BTCV_VALUES), Origin=(-20, 7, 103))),
        f"src/{LABEL} (... at -20 x 7 x 103, ...) {_GRID}",
    ),
    btcv(
        "label map of another spacing",
        on(LABEL, put, placed(organs(BTCV_VALUES), Spacing=(1.5, 2, 5))),
        f"src/{LABEL} (... 1.5 x 2 x 5 mm ...) {_GRID}",
    ),
    btcv(
        "label map without its scan",
        on(IMAGE, remove),
        f"src/{LABEL} has no scan that it belongs to: add the scan, or correct a name",
    ),
    # Voxels that are no intensities.
    btcv("NaN in the image", on(IMAGE, edit, corner(np.nan)), f"src/{IMAGE} {_NOT_FINITE}"),
    btcv("infinity in the image", on(IMAGE, edit, corner(np.inf)), f"src/{IMAGE} {_NOT_FINITE}"),
    btcv(
        "all intensities the same",
        on(IMAGE, edit, np.zeros_like),
        f"src/{IMAGE} is empty, all its intensities are 0: copy or download it again",
    ),
    btcv(
        "4D image",
        on(IMAGE, save_nifti, np.zeros((4, 4, 4, 2), "i2")),
        f"src/{IMAGE} {_NOT_3D.format('4 x 4 x 4 x 2')}",
    ),
    btcv("2D image", on(IMAGE, save_nifti, np.zeros((4, 4), "i2")), f"src/{IMAGE} is a single slice (4 x 4): {_FLAT}"),
    btcv(
        "3D image of one slice",
        on(IMAGE, save_nifti, np.zeros((4, 4, 1), "i2")),
        f"src/{IMAGE} is a single slice (4 x 4 x 1): {_FLAT}",
    ),
    btcv(
        "RGB NIfTI", on(IMAGE, save_nifti, np.zeros((4, 4, 4), _RGB)), f"src/{IMAGE} {_NOT_3D.format('4 x 4 x 4, 3 ')}"
    ),
    btcv(
        "complex NIfTI",
        on(IMAGE, save_nifti, np.ones((4, 4, 4), np.complex64)),
        f"src/{IMAGE} has complex values: convert it to magnitudes",
    ),
    # Headers of NIfTI files: the numbers are the offsets of their fields.
    btcv("voxel size of zero", on(IMAGE, set_header, 80, 0), f"src/{IMAGE} has the voxel size 0 x 2 x 3 mm: {_HEADER}"),
    btcv(
        "voxel size in micron",
        on(IMAGE, set_header, 123, 3, form="b"),
        f"src/{IMAGE} gives its voxel size in micron, which nnU-Net takes for mm: write its header in mm",
    ),
    btcv(
        "axes not at right angles, and a mirrored qform", on(IMAGE, shear), f"src/{IMAGE} has a geometry ...: {_HEADER}"
    ),
    btcv("NaN in the sform", on(IMAGE, set_header, 280, np.nan), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("sform of zeros", on(IMAGE, set_header, 280, *[0] * 12), f"src/{IMAGE} has a geometry ...: {_HEADER}"),
    btcv(
        "neither qform nor sform",
        on(IMAGE, set_header, 252, 0, 0, form="h"),
        f"src/{IMAGE} has a geometry ...: {_HEADER}",
    ),
    btcv("no voxels along an axis", on(IMAGE, set_header, 42, 0, form="h"), f"src/{IMAGE} ...: ..."),
    btcv("offset of the voxels that is NaN", on(IMAGE, set_header, 108, np.nan), f"src/{IMAGE} ...: {_HEADER}"),
    btcv(
        "scale factor of 1e38",
        on(IMAGE, set_header, 112, 1e38),
        f"src/{IMAGE} holds intensities that are too large for its format: correct its scale factor",
    ),
    btcv("offset of the voxels that is 0", on(IMAGE, set_header, 108, 0), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("offset of the voxels within the header", on(IMAGE, set_header, 108, 350), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("qform that is no rotation", on(IMAGE, set_header, 256, 9, 9, 9), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("intercept that is NaN", on(IMAGE, set_header, 112, 1, np.nan), f"src/{IMAGE} ...: {_HEADER}"),
    btcv(
        "more voxels than can be counted", on(IMAGE, set_header, 40, 7, *[32767] * 7, form="h"), f"src/{IMAGE} {_SHORT}"
    ),
    btcv("offset of the voxels that is infinite", on(IMAGE, set_header, 108, np.inf), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("unknown type of voxels", on(IMAGE, set_header, 70, 127, form="h"), f"src/{IMAGE} ...: ..."),
]
