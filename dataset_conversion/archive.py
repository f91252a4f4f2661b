"""Unpack downloaded zip archives, without trusting their names, sizes and flags."""

import calendar
import hashlib
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.paths import base_folder
from mass_nnunet.errors import UserError

from .source import Source

# Nothing else is unpacked: no program, no link, no hidden file.
_WANTED = (".nii", ".nii.gz", ".dcm", ".png", ".zip")
_DEPTH = 3  # archives in archives
_DRIVE = ":"
_PIECE = 1 << 22


@contextmanager
def opened(path: Path, *, confidential: bool = False) -> Iterator[Source]:
    """A :class:`Source` of the folder ``path`` and the archives in it, or of the archive ``path``.

    Archives are unpacked into a temporary folder beside nnU-Net's raw datasets. It is deleted at the end of the block,
    and kept for the next run if the block raises. Members that already lie unpacked beside their archive are skipped.

    Args:
        path: a folder or a zip archive.
        confidential: whether names of files may be those of patients, as in DICOM exports: no message names a file
            below ``path``, files of any ending are unpacked, and the temporary folder is deleted in any case.

    Raises:
        UserError: ``path`` is neither a folder nor a zip archive, an archive is damaged or encrypted, a member's path
            leads out of it, or the disk is too small.
    """
    path = Path(path)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(f"{path} has a name that is not UTF-8: rename it") from None
    archives = _archives(path, confidential)
    # Files beside an archive are used as well, unless the archive itself was named.
    roots = [path] if path.is_dir() else []
    scratch = base_folder("raw") / f".tmp-unpacked-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    try:
        for number, archive in enumerate(archives, 1):
            try:
                roots.append(_unpack(archive, scratch, path.is_dir(), _DEPTH, confidential))
            except UserError as error:
                if not confidential:
                    raise
                raise UserError(_hidden(str(error), archive, path, number)) from None
        yield Source(path, tuple(roots))
    except BaseException:
        if confidential:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _archives(path: Path, confidential: bool) -> list[Path]:
    """The archives in a folder, or the one archive ``path``.

    Raises:
        UserError: it is neither, or the folder holds a broken link, which is not named if it is confidential.
    """
    if path.is_file() and path.suffix.lower() == ".zip":
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} is neither a folder nor a zip archive: give the folder or the zip that was downloaded")
    try:
        files = [folder / name for folder, _, names in Source(path, (path,)).walk() for name in names]
    except UserError:
        if not confidential:
            raise
        raise UserError(f"{path} holds a broken link: repair or remove it") from None
    return [file for file in files if file.name.lower().endswith(".zip")]


def _hidden(message: str, archive: Path, path: Path, number: int) -> str:
    """A message about an archive without the names of files in it, and without its own unless the user gave it."""
    shown = str(path) if archive == path else f"archive {number} in {path}"
    return re.sub(r"""(['"]).*\1""", "a file", message.replace(str(archive), shown))


def _unpack(archive: Path, scratch: Path, skip_unpacked: bool, depth: int, confidential: bool) -> Path:
    """Unpack an archive into a folder of its own below ``scratch``, except for unpacked members; return the folder."""
    if depth == 0:
        raise UserError(f"{archive} is an archive in an archive in an archive: unpack it by hand")
    status = archive.stat()
    key = f"{archive.resolve()} {status.st_size} {status.st_mtime_ns}"
    folder = scratch / hashlib.sha256(key.encode()).hexdigest()[:12]
    try:
        with zipfile.ZipFile(archive) as opened_archive:
            members = [member for member in opened_archive.infolist() if _is_wanted(member, archive, confidential)]
            if skip_unpacked:
                members = [member for member in members if not _lies_beside(member, archive)]
            folder.mkdir(parents=True, exist_ok=True)
            _check_files(members, archive)
            if not confidential:
                _check_names(members, archive, ignores_case=_ignores_case(scratch))
            places = [
                (member, folder / (_nameless(member, index) if confidential else member.filename))
                for index, member in enumerate(members)
            ]
            missing = [(member, place) for member, place in places if not _is_unpacked(place, member)]
            _check_room([member for member, _ in missing], folder, archive)
            what = "unpacking" if confidential else f"unpacking {archive.name}"
            with tqdm(missing, desc=what, unit="file", disable=not missing) as bar:
                for member, place in bar:
                    _extract(opened_archive, member, place)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.filename not in (None, str(archive)):
            raise  # an error of the disk that is written to
        raise UserError(f"{archive} cannot be unpacked ({error}): download it again") from None
    for member, place in places:
        if member.filename.lower().endswith(".zip"):
            _unpack(place, folder, False, depth - 1, confidential)
    return folder


def _nameless(member: zipfile.ZipInfo, index: int) -> str:
    return f"{index:06d}{'.zip' if member.filename.lower().endswith('.zip') else ''}"


def _is_wanted(member: zipfile.ZipInfo, archive: Path, any_ending: bool) -> bool:
    """Whether a member holds data.

    Raises:
        UserError: its path leads out of the archive, it is a link, or it is encrypted.
        BadZipFile: it has no name.
    """
    if not member.filename:
        raise zipfile.BadZipFile("a file without a name")
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or _DRIVE in member.filename:
        raise UserError(
            f"{archive} holds {member.filename!r}, with a path that leads out of the archive: get it from its authors"
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(f"{archive} holds {member.filename!r}, a symbolic link: get it from its authors")
    hidden = any(part == "__MACOSX" or part.startswith(".") for part in path.parts)
    if member.is_dir() or hidden or not (any_ending or path.name.lower().endswith(_WANTED)):
        return False
    if member.flag_bits & 1:
        raise UserError(f"{archive} is encrypted: unpack it by hand, and give the folder")
    return True


def _lies_beside(member: zipfile.ZipInfo, archive: Path) -> bool:
    """Whether the user has already unpacked the member, at one of the usual places."""
    places = (archive.parent, archive.parent / archive.stem)
    return any(_is_unpacked(place / member.filename, member) for place in places)


def _is_unpacked(path: Path, member: zipfile.ZipInfo) -> bool:
    return path.is_file() and path.stat().st_size == member.file_size


def _check_files(members: list[zipfile.ZipInfo], archive: Path) -> None:
    names = {member.filename for member in members}
    for member in members:
        for parent in PurePosixPath(member.filename).parents:
            if str(parent) in names:
                raise UserError(f"{archive} holds {str(parent)!r} as a file and as a folder: get it from its authors")


def _check_names(members: list[zipfile.ZipInfo], archive: Path, *, ignores_case: bool) -> None:
    """Make sure that no member is written over another one.

    Raises:
        UserError: two members have one name.
    """
    seen: dict[str, str] = {}
    for member in members:
        key = member.filename.casefold() if ignores_case else member.filename
        if key in seen:
            what = "twice" if seen[key] == member.filename else f"and {seen[key]!r}, which are one file on this disk"
            raise UserError(f"{archive} holds {member.filename!r} {what}: unpack it by hand, and give the folder")
        seen[key] = member.filename


def _ignores_case(folder: Path) -> bool:
    """Whether names on the disk of a folder with letters in its name differ by more than case, as on Windows, macOS."""
    return folder.with_name(folder.name.upper()).exists()


def _check_room(members: list[zipfile.ZipInfo], folder: Path, archive: Path) -> None:
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{archive} unpacks to {needed / 1e9:.1f} GB, {folder.parent} has {free / 1e9:.1f} GB left on its disk: "
            "make room"
        )


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, final: Path) -> None:
    """Write one member, completely or not at all; reading it to the end checks its checksum.

    The file gets the time stated in the archive, so that the next run recognizes it as the same file.
    """
    with (
        archive.open(member) as stream,
        atomic_path(final) as temporary,
        temporary.open("wb") as output,
    ):
        shutil.copyfileobj(stream, output, _PIECE)
        output.close()
        seconds = calendar.timegm(member.date_time)
        os.utime(temporary, (seconds, seconds))
