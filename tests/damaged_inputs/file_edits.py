"""Edits that damage a dataset: of files, of DICOM and NIfTI headers, of folders and of zip archives."""

import gzip
import os
import re
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from native_trees import SHAPE, write


def on(name: str, change: Callable, *arguments: object, **others: object) -> Callable[[Path], object]:
    """A change of one file or folder of the dataset."""
    return lambda src: change(src / name, *arguments, **others)


def on_all(names: str, change: Callable, *arguments: object) -> Callable[[Path], object]:
    """A change of all files of the dataset that a pattern fits."""
    return lambda src: [change(path, *arguments) for path in sorted(src.glob(names))]


def both(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    """Two changes, one after the other."""
    return lambda src: [change(src) for change in changes]


def nothing(src: Path) -> None:
    """No damage: what is wrong is outside of the dataset."""


def cut(path: Path, count: int) -> None:
    """Take bytes from a file's end."""
    path.write_bytes(path.read_bytes()[:-count])


def corrupt(path: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def put(path: Path, image: sitk.Image) -> None:
    """Another image in the place of a file."""
    write(image, path)


def edit(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the voxels (Z, Y, X) or pixels (Y, X) under the same header."""
    image = sitk.ReadImage(str(path))
    edited = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    edited.CopyInformation(image)
    write(edited, path)


def corner(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """A change of one voxel or pixel, that is 0 in label maps."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array if float(value).is_integer() else array.astype(np.float32)
        array.flat[0] = value
        return array

    return change


def swap(first: int, second: int) -> Callable[[np.ndarray], np.ndarray]:
    """An exchange of two values of a label map."""
    table = np.arange(256, dtype=np.uint8)
    table[[first, second]] = second, first
    return lambda array: table[array]


def placed(image: sitk.Image, **geometry: tuple[float, ...]) -> sitk.Image:
    """A volume with another ``Origin`` or ``Spacing``."""
    for name, value in geometry.items():
        getattr(image, f"Set{name}")(value)
    return image


def save_nifti(path: Path, array: np.ndarray) -> None:
    """Write a NIfTI file with any type and number of axes, which SimpleITK would refuse."""
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


def shear(path: Path) -> None:
    """Tilt the first axis of the sform, and mirror the qform, which SimpleITK then reads instead."""
    image = nibabel.load(path)
    sheared, mirrored = image.affine.copy(), image.affine @ np.diag([-1, 1, 1, 1])
    sheared[0, 1] = 0.5
    image.set_sform(sheared, 2)
    image.set_qform(mirrored, 1)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header), path)


def set_header(path: Path, offset: int, *values: float, form: str = "f") -> None:
    """Overwrite values in the header of a NIfTI file."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(f"<{len(values)}{form}", content, offset, *values)
    path.write_bytes(gzip.compress(bytes(content)))


def save_nifti_2(path: Path) -> None:
    """The same scan as NIfTI-2."""
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti2Image(np.asarray(image.dataobj), image.affine), path)


def gunzip(path: Path) -> None:
    """Uncompressed under the same name."""
    path.write_bytes(gzip.decompress(path.read_bytes()))


def unpack(path: Path, keep: bool = False) -> Path:
    """``.nii.gz`` to ``.nii``."""
    unpacked = path.with_suffix("")
    unpacked.write_bytes(gzip.decompress(path.read_bytes()))
    if not keep:
        path.unlink()
    return unpacked


def set_dicom(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes of a DICOM file, which occur once, by as many others."""
    content = path.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def shorten_pixels(path: Path, count: int) -> None:
    """Leave out the last pixels of a slice, and say so in the length of the element: SimpleITK reads that as it is."""
    tag, length = b"\xe0\x7f\x10\x00", 2 * SHAPE[1] * SHAPE[2]
    set_dicom(path, tag + struct.pack("<I", length), tag + struct.pack("<I", length - count))
    cut(path, count)


def compress(path: Path) -> Path:
    """A DICOM slice in a compressed transfer syntax."""
    sitk.WriteImage(sitk.ReadImage(str(path)), str(path), useCompression=True)
    return path


def double(path: Path) -> None:
    """A copy of the file under the next free number."""
    shutil.copy(path, path.with_name(path.name.replace("00003", "00006")))


def reverse(folder: Path) -> None:
    """Files in reverse order under the same names."""
    paths = sorted(folder.iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)


def one_folder(folder: Path, *phases: str) -> None:
    """T1 phases in one folder, as in older releases of CHAOS; without the other phases."""
    for phase in phases:
        for path in (folder / phase).iterdir():
            path.rename(folder / path.name)
    for phase in ("InPhase", "OutPhase"):
        shutil.rmtree(folder / phase)


def remove(path: Path) -> None:
    """Delete a file or folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def make_folder(path: Path) -> None:
    """A folder in the place of a file."""
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    """A named pipe in the place of a file; a reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def link(path: Path, target: str) -> None:
    """A symbolic link in the place of a file or folder."""
    remove(path)
    path.symlink_to(path.with_name(target))


def rename(path: Path, name: str) -> None:
    """Another name for a file or folder."""
    path.rename(path.with_name(name))


def set_name(path: Path, old: bytes, new: bytes) -> None:
    """Replace the name of a member of an archive, in its header and in the directory, by one of the same length."""
    content = path.read_bytes()
    assert content.count(old) >= 2
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def zipped(src: Path, *members: str | zipfile.ZipInfo) -> Path:
    """``data.zip`` beside the dataset, with it and the given members."""
    path = src.with_name("data.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(src.rglob("*.nii.gz")):
            archive.write(file, file.relative_to(src))
        for member in members:
            archive.writestr(member, "/etc/passwd")
    return path


def linked(name: str) -> zipfile.ZipInfo:
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypt(path: Path) -> None:
    """Say of all members of an archive that they are encrypted."""
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for match in re.finditer(signature, bytes(content)):
            content[match.start() + flags] |= 1
    path.write_bytes(content)


def break_compression(path: Path) -> None:
    """Begin the first member with a block of a kind that does not exist."""
    content = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<HH", content, 26)
    content[30 + name + extra] = 0b111
    path.write_bytes(content)


def nest(path: Path, depth: int) -> None:
    """Archives in archives."""
    for _ in range(depth):
        inner = path.read_bytes()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.zip", inner)
