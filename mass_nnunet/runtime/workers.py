"""One function over many scans, in spawned processes, with a progress bar."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import SimpleITK as sitk
from tqdm import tqdm

from mass_nnunet.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def start_worker() -> None:
    """Prepare a spawned worker: it ignores Ctrl-C, ends when its parent was killed, and uses one thread."""
    # Ctrl-C goes to all processes of a terminal; only the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _end_with_parent() -> None:
    """End the worker when its parent was killed; otherwise it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def map_cases(
    function: Callable[[Item], Result], items: Sequence[Item], *, processes: int, description: str
) -> list[Result]:
    """``[function(item) for item in items]``, in several processes; ``function`` and the items must be picklable.

    With ``processes=1`` the work is done in the calling process.

    Raises:
        UserError: ``function`` raised it (the remaining items are cancelled), or a worker was killed.
    """
    if processes == 1:
        with tqdm(items, desc=description, unit="case") as bar:
            return [function(item) for item in bar]
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(min(processes, max(1, len(items))), context, start_worker)
    try:
        futures = [executor.submit(function, item) for item in items]
        with tqdm(as_completed(futures), total=len(futures), desc=description, unit="case") as bar:
            for future in bar:
                future.result()
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise UserError("a worker process was killed, most likely for want of memory: use fewer, -np 1") from None
    finally:
        executor.shutdown(cancel_futures=True)
