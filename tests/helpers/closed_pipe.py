"""Programs whose output nobody reads, as in ``mass_nnunet check -d 801 | head``."""

import os
import subprocess
from collections.abc import Sequence


def run_unread(command: Sequence[str], both: bool, timeout: float) -> tuple[int, bytes | None]:
    """Run a program with a closed pipe for its output.

    Args:
        command: the program and its arguments.
        both: whether its errors go there, too.
        timeout: in seconds.

    Returns:
        The exit status, and the errors unless nobody reads them.
    """
    reading, writing = os.pipe()
    process = subprocess.Popen(command, stdout=writing, stderr=writing if both else subprocess.PIPE)
    os.close(writing)
    os.close(reading)
    errors = process.communicate(timeout=timeout)[1]
    return process.returncode, errors
