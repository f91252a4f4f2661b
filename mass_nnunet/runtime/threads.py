"""Threads on a CPU: no more than OMP_NUM_THREADS asks for, and one for work that is too small to share.

Threads that share small pieces of work wait for each other thousands of times a second. They wait in a busy loop, and
where another process takes the core of one of them, the others spend their time in it.

Torch is imported where it is needed: the command line must not wait for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SHARED_VOXELS = 2**18
"""Voxels for each thread. The refinement of 32 x 96 x 96 voxels takes 0.59 s with one thread and 0.44 s with two on two
idle cores, but 1.2 s and 3.3 s where two other processes run on these cores."""


def asked_threads() -> int:
    """The number in OMP_NUM_THREADS, the first of a list; 0 where there is none."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(asked) if asked.isdigit() else 0


def limit_itk() -> None:
    """Let SimpleITK, which does not read OMP_NUM_THREADS, use as many threads, unless its own variable is set."""
    if asked := asked_threads():
        os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", str(asked))


def limit_torch() -> None:
    """Bring torch back to OMP_NUM_THREADS: nnU-Net sets its threads to the number of cores for ``-device cpu``."""
    import torch

    if asked := asked_threads():
        torch.set_num_threads(min(torch.get_num_threads(), asked))


@contextmanager
def threads_for(voxels: int) -> Iterator[None]:
    """Use one torch thread for each :data:`SHARED_VOXELS` voxels, at least one and at most as many as there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, voxels // SHARED_VOXELS)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
