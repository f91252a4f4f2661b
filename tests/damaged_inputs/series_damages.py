"""Damaged files and series: parts that are missing or misplaced, DICOM headers, and PNG label planes."""

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
    put,
    remove,
    rename,
    reverse,
    save_nifti_2,
    set_dicom,
    set_header,
    shorten_pixels,
    swap,
    unpack,
)
from native_trees import (
    CHAOS_GRAYS,
    SHAPE,
    scan,
    write_slices,
)
from refused_input import CORRECT, NO_LABELS, SHORT, SIDES, Damage
from sound_datasets import ECHO, GROUND, IMAGE, LABEL, PLANE, SERIES, SLICE, SOURCES, T1

_AGAIN = "cannot be read (...): copy or download it again"
_NO_PLACE = "in its DICOM header: export it again"
_GAP = "00002.dcm and IMG-0002-00004.dcm are 6.00 mm apart, ...: a slice is missing or misplaced; copy the series again"
_COUNTS = f"DICOM slices in ...src/{SERIES} but {{}} label planes in ...src/{GROUND}: ...; copy the case again"
_T1 = ("--sequences", "T1IN")
_RIGHT, _LEFT = CHAOS_GRAYS["right_kidney"], CHAOS_GRAYS["left_kidney"]

btcv, chaos, *_ = (partial(Damage, source) for source in SOURCES)

SERIES_DAMAGES = [
    # Files that are not whole.
    btcv("NIfTI (.nii.gz) cut short", on(IMAGE, cut, 500), f"src/{IMAGE} {_AGAIN}"),
    btcv("NIfTI (.nii) cut short", lambda src: cut(unpack(src / IMAGE), 500), f"img0002.nii {SHORT}"),
    btcv("NIfTI (.nii) that lacks 100 bytes", lambda src: cut(unpack(src / IMAGE), 100), f"img0002.nii {SHORT}"),
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
    chaos("DICOM with half of its pixels, else well-formed", on(SLICE, shorten_pixels, 576), f"src/{SLICE} {SHORT}"),
    chaos("DICOM with all but one of its pixels", on(SLICE, shorten_pixels, 2), f"src/{SLICE} {SHORT}"),
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
    chaos("gray value 100", on(PLANE, edit, corner(100)), f"src/{PLANE} holds the value 100, {CORRECT}"),
    chaos("black PNGs", on_all(f"{GROUND}/*", edit, np.zeros_like), f"src/{GROUND} {NO_LABELS}"),
    chaos(
        "gray values of the kidneys swapped",
        on_all(f"{GROUND}/*", edit, swap(_RIGHT, _LEFT)),
        f"chaos_02_T2SPIR (...src/{GROUND}): the right kidney is not to the right of the left kidney: {SIDES}",
    ),
    chaos(
        "PNGs in reverse order",
        on(GROUND, reverse),
        f"chaos_02_T2SPIR (...src/{GROUND}): the kidneys are not below the liver: {SIDES}",
    ),
]
