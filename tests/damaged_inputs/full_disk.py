"""A disk that has no room left, without filling one."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

if sys.platform != "win32":
    import resource


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes: the file that would do so meets a full disk. Not on Windows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def small_disk() -> AbstractContextManager:
    """1000 bytes are free."""
    return patch("shutil.disk_usage", return_value=SimpleNamespace(free=1000))
