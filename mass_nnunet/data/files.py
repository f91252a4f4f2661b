"""Files that are written completely or not at all (under a temporary name, which is then renamed), and JSON files."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from mass_nnunet.errors import UserError

from .machine import here


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``final``, hidden and with the same suffixes, to be renamed to it.

    It is renamed when the block ends. When the block raises, the temporary file is removed and ``final`` stays as it
    was. What killed processes of this user have left in the folder, since this machine was started, is removed, once a
    process.
    """
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(final.parent, os.getpid())
    temporary = final.with_name(f".tmp-{here()}-{os.getpid()}-{final.name}")
    try:
        yield temporary
        temporary.replace(final)
    except OSError as error:
        # The error of a full disk does not name the file.
        error.filename = error.filename or str(final)
        raise
    finally:
        with suppress(OSError):  # the disk fails: its own error says more
            temporary.unlink(missing_ok=True)


@cache
def _remove_left(folder: Path, _: int) -> None:
    """Remove the temporary files of processes that have ended. The second argument is that of this process.

    Those of other users stay: their processes may be hidden (hidepid of /proc), and look as if they had ended.
    """
    for path in folder.glob(f".tmp-{here()}-*"):
        pid = path.name.split("-")[2]
        with suppress(OSError):
            if pid.isdecimal() and _is_ours(path) and not psutil.pid_exists(int(pid)):
                path.unlink()


def _is_ours(path: Path) -> bool:
    """Whether this user owns a file; always on Windows, where files tell no owner by number.

    Raises:
        OSError: the file is gone.
    """
    user = getattr(os, "getuid", None)  # Windows has none
    return user is None or path.lstat().st_uid == user()


def link_or_copy(file: Path, final: Path) -> None:
    """Make a hard link to a file, or a complete copy of it where the file system has no such links.

    Unlike a symbolic link, it does not tell where other files lie. Where the file is a symbolic link, what it leads to
    is linked.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file.resolve(), final)
    except OSError:
        with atomic_path(final) as temporary:
            shutil.copy2(file, temporary)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def read_json(path: Path, remedy: str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is absent, a broken link or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        check_link(path)
        raise UserError(f"{path} does not exist: {remedy}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not valid JSON (it is not UTF-8 text): {remedy}") from None
    except RecursionError:
        raise UserError(f"{path} is not valid JSON (it is nested too deeply): {remedy}") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}): {remedy}") from None


def digest(content: Any) -> str:
    """A digest of JSON content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_link(path: Path) -> None:
    """Make sure that a path is no broken link.

    Raises:
        UserError: it is one.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a broken link: repair or remove it")
