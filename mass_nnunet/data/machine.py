"""Which machine this is, among those that share a disk."""

import hashlib
import socket
from functools import cache
from pathlib import Path


def view() -> str:
    """Identifier of the process namespace: containers may share a host name and not see each other's processes.

    Why not psutil: it has no function for namespaces.
    """
    namespace = Path("/proc/self/ns/pid")
    return str(namespace.readlink()) if namespace.exists() else ""


def boot() -> str:
    """Identifier of the time since the machine was started: process numbers are given anew after it. Linux only."""
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text().strip() if file.exists() else ""


@cache
def here() -> str:
    """Eight letters for this machine or container since its start, for names of files."""
    return hashlib.sha256(f"{socket.gethostname()} {view()} {boot()}".encode()).hexdigest()[:8]
