"""Damaged volumes: label maps, voxels that are no intensities, and headers of NIfTI files."""

from functools import partial

import numpy as np

from file_edits import (
    corner,
    edit,
    on,
    placed,
    put,
    remove,
    save_nifti,
    set_header,
    shear,
    swap,
)
from native_trees import (
    BTCV_VALUES,
    mirrored,
    organs,
    scan,
    write_btcv_case,
)
from refused_input import CORRECT, NO_LABELS, SHORT, SIDES, Damage
from sound_datasets import HEART, IMAGE, LABEL, MASK

_GRID = f"is not on the grid of ...src/{IMAGE} (...): get the label map that belongs to this scan"
_HEADER = "correct its header"
_NOT_3D = "is not one three-dimensional scan (size {}...): split it first"
_FLAT = "3D only, make a volume of all slices"
_NOT_FINITE = "holds ... not finite ...: repair or remove it"
_RGB = [(channel, "u1") for channel in "RGB"]

btcv, mmwhs, nifti, masks = (partial(Damage, name) for name in ("btcv", "mmwhs", "nifti", "totalsegmentator"))

VOLUME_DAMAGES = [
    # Label maps.
    btcv(
        "kidneys swapped",
        on(LABEL, edit, swap(2, 3)),
        f"btcv_0002 (...src/{LABEL}): the right kidney is not to the right of the left kidney: {SIDES}",
    ),
    btcv(
        "liver and spleen swapped",
        on(LABEL, edit, swap(1, 6)),
        f"btcv_0002 (...src/{LABEL}): the liver is not to the right of the spleen: {SIDES}",
    ),
    btcv(
        "mirrored scan",
        lambda src: write_btcv_case(src, 2, mirrored(scan(2)), mirrored(organs(BTCV_VALUES))),
        f"btcv_0002 (...src/{LABEL}): the right kidney is not to the right of the left kidney: {SIDES}",
    ),
    btcv(
        "label map upside down",
        on(LABEL, edit, np.flipud),
        f"btcv_0002 (...src/{LABEL}): the kidneys are not below the liver: {SIDES}",
    ),
    btcv(
        "label map back to front",
        on(LABEL, edit, np.fliplr),
        f"btcv_0002 (...src/{LABEL}): the kidneys are not behind the liver: {SIDES}",
    ),
    btcv("empty label map", on(LABEL, edit, np.zeros_like), f"src/{LABEL} {NO_LABELS}"),
    btcv("label value 14", on(LABEL, edit, corner(14)), f"src/{LABEL} holds the value 14, {CORRECT}"),
    btcv("label value 1.0011", on(LABEL, edit, corner(1.0011)), f"src/{LABEL} holds the value 1.0011, {CORRECT}"),
    btcv("label value 1.5", on(LABEL, edit, corner(1.5)), f"src/{LABEL} holds the value 1.5, {CORRECT}"),
    mmwhs("label value 501 in a heart", on(HEART, edit, corner(501)), f"src/{HEART} holds the value 501, {CORRECT}"),
    masks("value 2 in a mask", on(MASK, edit, corner(2)), f"src/{MASK} holds the value 2, {CORRECT}"),
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
        "more voxels than can be counted", on(IMAGE, set_header, 40, 7, *[32767] * 7, form="h"), f"src/{IMAGE} {SHORT}"
    ),
    btcv("offset of the voxels that is infinite", on(IMAGE, set_header, 108, np.inf), f"src/{IMAGE} ...: {_HEADER}"),
    btcv("unknown type of voxels", on(IMAGE, set_header, 70, 127, form="h"), f"src/{IMAGE} ...: ..."),
]
