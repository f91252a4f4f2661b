"""Damages around the files: copies, missing folders, options, names, links, permissions, full disks and archives."""

import os
import shutil
from functools import partial
from pathlib import Path

from file_edits import (
    both,
    break_compression,
    corrupt,
    cut,
    edit,
    encrypt,
    link,
    linked,
    nest,
    nothing,
    on,
    on_all,
    put,
    remove,
    rename,
    set_name,
    unpack,
    zipped,
)
from full_disk import file_limit, small_disk
from native_trees import (
    BTCV_VALUES,
    btcv_tree,
    organs,
    scan,
    write,
    write_amos_case,
    write_btcv_case,
    write_slices,
)
from refused_input import RAW, Damage
from sound_datasets import IMAGE, MASK, SLICE, SOURCES

_NO_TEXT = os.fsdecode(b"src\xff")
_OUT = "with a path that leads out of the archive: get it from its authors"
_NIFTI = "holds no NIfTI file (*.nii.gz, *.nii): give the folder of the"
_DISK = "make room on the disk"
_LINK = "is a broken link: repair or remove it"
_DOWNLOAD = "cannot be unpacked (...): download it again"
_PERMISSION = "ermission denied...permissions"

btcv, chaos, amos, mmwhs, nifti, masks, *_ = (partial(Damage, source) for source in SOURCES)
archived = partial(btcv, given="data.zip")
apart = partial(btcv, apart=True, posix=True)
LAYOUT_DAMAGES = [
    # The same twice.
    amos(
        "the same image to train and to test on",
        lambda src: write_amos_case(src, "Tr", 2, scan(3), organs(BTCV_VALUES)),
        "src/imagesVa/amos_0003.nii.gz is the same image as ...src/imagesTr/amos_0002.nii.gz, "
        "one to train and one to test on (...): remove one of them",
    ),
    btcv(
        "the same image under two numbers, of which one is chosen for the test",
        lambda src: write_btcv_case(src, 1, scan(3), organs(BTCV_VALUES)),
        "is the same image as ..., one to train and one to test on (...): remove one of them",
        ("--seed", "1"),
    ),
    btcv(
        "one scan twice in the tree",
        lambda src: shutil.copytree(src / "Training", src / "copy/Training"),
        "btcv_0001 is there 2 times (...src/Training/img/img0001.nii.gz, "
        "...src/copy/Training/img/img0001.nii.gz): give the folder of one copy",
    ),
    btcv(
        "one scan as .nii and .nii.gz",
        on(IMAGE, unpack, keep=True),
        "img0002.nii... and ...img0002.nii... are both ...: remove one of them",
    ),
    nifti(
        "one scan as .nii and .nii.gz, in any folder",
        on("images/b.nii.gz", unpack, keep=True),
        "src/images/b.nii and ...src/images/b.nii.gz are both the scan b: remove one of them",
    ),
    nifti(
        "one label map as .nii and .nii.gz",
        on("labels/b.nii.gz", unpack, keep=True),
        "src/labels/b.nii... and ...src/labels/b.nii... are both ... b: remove one of them",
    ),
    nifti(
        "one name with and without _0000",
        on("images/b_0000.nii.gz", put, scan(5)),
        "src/images/b.nii.gz and ...src/images/b_0000.nii.gz are both the scan b: remove one of them",
    ),
    nifti(
        "a second channel",
        both(on("images/d_0000.nii.gz", put, scan(5)), on("images/d_0001.nii.gz", put, scan(6))),
        "src/images/d_0001.nii.gz ...channel...: ...",
    ),
    mmwhs(
        "one scan of a heart as .nii and .nii.gz",
        on("ct_train/ct_train_1002_image.nii.gz", unpack, keep=True),
        "ct_train_1002_image.nii and ...ct_train_1002_image.nii.gz are both the image ...: remove one of them",
    ),
    masks(
        "one mask as .nii and .nii.gz",
        on(MASK, unpack, keep=True),
        "liver.nii and ...liver.nii.gz are both the mask of liver: remove one of them",
    ),
    # What is there, and what is not.
    masks(
        "a table of parts with other columns",
        on("meta.csv", Path.write_text, "image_id,split\ns0001,train\n"),
        "src/meta.csv has no 'image_id', but needs the columns image_id and split, with train, val, test: ...",
    ),
    masks(
        "CT and MRI in one folder",
        on("s0004/mri.nii.gz", put, scan(5)),
        "src holds CT and MRI: give the folder of one release at a time",
    ),
    masks(
        "no mask of a structure",
        nothing,
        "no scan of ...src has segmentations/milz.nii.gz: name in --labels the files of each organ",
        ("--labels", "spleen=milz"),
    ),
    btcv(
        "no such folder",
        remove,
        "src is neither a folder nor a zip archive: give the folder or the zip that was downloaded",
    ),
    chaos(
        "another dataset",
        both(remove, btcv_tree),
        "src holds no CHAOS MRI of T2SPIR: expected Train_Sets/MR/1/T2SPIR/DICOM_anon in it, at any depth",
    ),
    amos(
        "CT without MRI",
        on_all("*/amos_05*", remove),
        "src holds no MRI of AMOS (numbers from 500): download the whole of amos22",
    ),
    btcv(
        "one labelled patient",
        on_all("Training/*/*000[13].nii.gz", remove),
        "1 patient with complete labels is too few for a training and a test part: "
        "add patients, or give --test-fraction 0",
    ),
    nifti(
        "folders of DICOM for NIfTI",
        both(on("images", remove), lambda src: write_slices(scan(), src / "images/a", "{}.dcm")),
        f"src/images {_NIFTI} scans",
    ),
    nifti("no label maps", on_all("labels/*", remove), f"src/labels {_NIFTI} label maps"),
    nifti(
        "--labels of another form",
        nothing,
        "--labels spleen is not NAME=VALUES, such as liver=6 or background=2-5",
        ("--labels", "spleen"),
    ),
    nifti(
        "--labels with one value twice",
        nothing,
        "--labels gives two names to the value 1: leave one of them out",
        ("--labels", "spleen=1", "liver=1-6"),
    ),
    btcv(
        "label map of Gibson et al. without its scan",
        lambda src: write(organs(BTCV_VALUES), src.with_name("gibson") / "label0070.nii.gz"),
        "gibson/label0070.nii.gz has no img0070.nii.gz in BTCV: download the image as well",
        ("--labels", "{}/gibson"),
    ),
    btcv(
        "dataset id taken",
        lambda src: (src.parent / RAW / "Dataset801_Other").mkdir(),
        "dataset id 801 is taken by Dataset801_Other: choose another one",
    ),
    # Names and links.
    nifti(
        "name with spaces and commas",
        on("images/b.nii.gz", rename, "b, second try.nii.gz"),
        "src/images/b, second try.nii.gz: rename it, a case's name is of letters, digits, '.', '_' and '-' only",
    ),
    nifti(
        "name with two endings",
        on("images/b.nii.gz", rename, "b.nii.nii.gz"),
        "src/images/b.nii.nii.gz is of a case whose name ends with .nii, and its files would be taken for those of b: "
        "rename it, with its label map",
    ),
    nifti(
        "name with a line break",
        on("images/b.nii.gz", rename, "b\nc.nii.gz"),
        "src/images/b...c.nii.gz...: rename it, ...",
        posix=True,
    ),
    nifti(
        "name that is not UTF-8",
        on("images/b.nii.gz", rename, f"{_NO_TEXT}.nii.gz"),
        "src/images/...: rename it, ...",
        posix=True,
    ),
    apart("folder whose name is not UTF-8", lambda src: rename(src, _NO_TEXT), ": rename it", given=_NO_TEXT),
    btcv(
        "file that is a link to itself",
        on(IMAGE, link, "img0002.nii.gz"),
        f"src/{IMAGE} {_LINK}",
        posix=True,
    ),
    chaos(
        "slice that is a link to itself",
        on(SLICE, link, Path(SLICE).name),
        f"src/{SLICE} {_LINK}",
        posix=True,
    ),
    btcv(
        "link to a file that is gone",
        on(IMAGE, link, "gone"),
        f"src/{IMAGE} {_LINK}",
        posix=True,
    ),
    nifti(
        "label map that is a link to a file that is gone",
        on("labels/b.nii.gz", link, "gone"),
        f"src/labels/b.nii.gz {_LINK}",
        posix=True,
    ),
    btcv("folder that is a link to itself", on("Training", link, "Training"), f"src/Training {_LINK}", posix=True),
    # Permissions and full disks.
    apart("unreadable file", on(IMAGE, Path.chmod, 0), f"src/{IMAGE} ...{_PERMISSION}"),
    apart("unreadable folder", on("Training/label", Path.chmod, 0), f"src/Training/label...{_PERMISSION}"),
    apart("unreadable part", on("Testing", Path.chmod, 0), f"src/Testing...{_PERMISSION}"),
    apart("read-only output folder", lambda src: (src.parent / RAW).chmod(0o500), f"{RAW}...{_PERMISSION}"),
    btcv(
        "full disk, when scans are written",
        nothing,
        f"{RAW}/.../btcv_0001_0000.nii.gz cannot be written (...): {_DISK}",
        around=partial(file_limit, 2000),
        posix=True,
    ),
    btcv(
        "full disk, when the record of a case is written",
        on_all("*/img/*", edit, lambda image: image % 2),
        f"{RAW}/.../btcv_0001.npz: ...: {_DISK}",
        around=partial(file_limit, 1100),
        posix=True,
    ),
    btcv(
        "full disk, when the overview is drawn",
        nothing,
        f"{RAW}/.../overview.png: ...: {_DISK}",
        around=partial(file_limit, 40_000),
        posix=True,
    ),
    archived(
        "full disk, when an archive is unpacked",
        zipped,
        f"{RAW}/...: ...: {_DISK}",
        around=partial(file_limit, 3000),
        posix=True,
    ),
    archived("archive that is larger than the disk", zipped, "data.zip unpacks to ...: make room", around=small_disk),
    # Archives.
    archived("zip with ../ in it", lambda src: zipped(src, "../x.nii"), f"data.zip holds '../x.nii', {_OUT}"),
    archived("zip with an absolute path", lambda src: zipped(src, "/x.nii"), f"data.zip holds '/x.nii', {_OUT}"),
    archived(
        "zip with a path of Windows", lambda src: zipped(src, r"C:\x.nii"), rf"data.zip holds 'C:\\x.nii', {_OUT}"
    ),
    archived(
        "zip with a link",
        lambda src: zipped(src, linked("x.nii")),
        "data.zip holds 'x.nii', a symbolic link: get it from its authors",
    ),
    archived("zip with a file that is a folder", lambda src: zipped(src, "x.nii", "x.nii/y.nii"), "data.zip ...: ..."),
    archived(
        "encrypted zip",
        lambda src: encrypt(zipped(src)),
        "data.zip is encrypted: unpack it by hand, and give the folder",
    ),
    archived("zip cut short", lambda src: cut(zipped(src), 500), f"data.zip {_DOWNLOAD}"),
    archived("zip with a changed byte", lambda src: corrupt(zipped(src)), f"data.zip {_DOWNLOAD}"),
    archived("zip with damaged compression", lambda src: break_compression(zipped(src)), f"data.zip {_DOWNLOAD}"),
    archived(
        "zip with a name that is no text",
        lambda src: set_name(zipped(src, "é.nii"), "é".encode(), b"\xff\xa9"),
        f"data.zip {_DOWNLOAD}",
    ),
    archived(
        "zip with a file without a name",
        lambda src: set_name(zipped(src, "#.nii"), b"#.nii", b"\0.nii"),
        f"data.zip {_DOWNLOAD}",
    ),
    archived("web page named .zip", on("../data.zip", Path.write_text, "<html>"), f"data.zip {_DOWNLOAD}"),
    btcv("web page named .zip in a folder", on("data.zip", Path.write_text, "<html>"), f"src/data.zip {_DOWNLOAD}"),
    archived(
        "zips in zips in zips in zips",
        lambda src: nest(zipped(src), 3),
        "inner.zip is an archive in an archive in an archive: unpack it by hand",
    ),
]
