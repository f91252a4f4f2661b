"""Workers: each takes free cells until none is left."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mass_nnunet.errors import UserError, disk_line, exit_on_user_error
from mass_nnunet.reporting import html as report
from mass_nnunet.runtime import child
from mass_nnunet.runtime.lock import Lock, becomes_free
from mass_nnunet.runtime.process import identify
from mass_nnunet.runtime.workers import start_worker

from .cell import ClaimLost, StepFailed, do_cell
from .job import Job
from .state import DONE, FAILED, RUNNING, is_open, is_outdated, read_record, state, write_record

Work = Callable[[Job, Lock], dict[str, Any]]


def work(jobs: Sequence[Job], retries: int, do: Work = do_cell) -> None:
    """Do the jobs until all are done, have failed too often, or are held by other workers that live.

    Args:
        jobs: jobs in the order in which they are tried.
        retries: number of repetitions of a failed cell. A cell that was killed with its worker has not failed.
        do: function of a job and its lock; its result is written into ``cell.json``.
    """
    busy = True
    while busy:
        busy = False
        held: list[Path] = []
        for number, job in enumerate(jobs, start=1):
            if not is_open(job.folder, retries, job.inferences, job.inputs):
                continue
            lock = Lock.take(job.folder)
            if lock is None:
                held.append(job.folder)
                continue
            with lock:
                # Another worker may have finished it before the lock was acquired.
                if is_open(job.folder, retries, job.inferences, job.inputs):
                    busy = True
                    _attempt(job, lock, do, f"[{number}/{len(jobs)}] {job.cell.title}")
        busy = busy or becomes_free(held)


def _attempt(job: Job, lock: Lock, do: Work, title: str) -> None:
    before = {} if is_outdated(job.folder, job.inputs) else read_record(job.folder)
    record = {
        "state": RUNNING,
        "method": job.cell.method,
        "label_rate": job.cell.label_rate,
        "seed": job.cell.seed,
        "fold": job.fold,
        "inputs": job.inputs,
        "attempts": before.get("attempts", 0) + 1,
        "failures": before.get("failures", 0),
        "start": time.time(),
        "host": identify(os.getpid())["host"],
        "pid": os.getpid(),
        "versions": dict(report.versions()),
    }
    write_record(job.folder, record)
    print(f"{title}: {'goes on' if before else 'starts'}", flush=True)
    try:
        record |= {"state": DONE, **do(job, lock)}
    except ClaimLost:
        print(f"{title}: was taken over by another worker, which presumed this one dead", flush=True)
        return
    except Exception as error:
        log = str(error.log) if isinstance(error, StepFailed) else None
        text = str(error) or type(error).__name__
        record |= {"state": FAILED, "failures": record["failures"] + 1, "error": text, "log": log}
    record["end"] = time.time()
    if not lock.lost:
        write_record(job.folder, record)
    outcome = record.get("error") or f"done in {record['end'] - record['start']:.0f} s"
    print(f"{title}: {outcome}", flush=True)


def report_failures(jobs: Sequence[Job]) -> None:
    """Print the end of the log of each failed cell.

    Raises:
        UserError: a cell has failed.
    """
    failed = [job for job in jobs if state(job.folder) == FAILED]
    for job in failed:
        record = read_record(job.folder)
        print(f"{job.cell.title}: {record['error']} ({record['log'] or job.folder})", file=sys.stderr)
        if record["log"]:
            print("\n".join(f"        | {line}" for line in child.last_lines(Path(record["log"]))), file=sys.stderr)
    if failed:
        more = max(read_record(job.folder)["failures"] for job in failed)
        raise UserError(
            f"{len(failed)} of {len(jobs)} cells failed, see above: when the cause is mended, try again "
            f"with --retries {more}"
        )


def run_local(jobs: Sequence[Job], workers: int, retries: int, do: Work = do_cell) -> None:
    """Do the jobs in ``workers`` processes of this machine; with one worker, in the calling process.

    Raises:
        KeyboardInterrupt: on Ctrl-C or SIGTERM, after the workers and their steps have ended.
        UserError: a worker was killed, or its disk failed, and the others have left cells to do.
    """
    with _interrupted_by_sigterm():
        if workers == 1:
            work(jobs, retries, do)
            return
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=_worker, args=(n, workers, jobs, retries, do)) for n in range(workers)]
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.join()
        except BaseException:
            for process in processes:
                if process.pid is not None:
                    process.terminate()
                    process.join()
            raise
        left = [job for job in jobs if is_open(job.folder, retries, job.inferences, job.inputs)]
        if left and any(process.exitcode != 0 for process in processes):
            raise UserError(
                f"a worker ended early, and {len(left)} of {len(jobs)} cells are left: run the same command again"
            )


def _worker(number: int, workers: int, jobs: Sequence[Job], retries: int, do: Work) -> None:
    start_worker()
    # By default each step would start one thread per core.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    if jobs[0].grid.device == "cuda":
        _choose_gpu(number)
    with _interrupted_by_sigterm(), exit_on_user_error():
        try:
            work(jobs, retries, do)
        except KeyboardInterrupt:
            sys.exit(130)
        except OSError as error:
            raise UserError(disk_line(error)) from None


def _choose_gpu(number: int) -> None:
    """Assign one of the visible GPUs to each worker, in turn."""
    import torch  # Not at the top: a worker without torch takes half a gigabyte less, and only its steps need torch.

    count = torch.cuda.device_count()
    if count > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(str(gpu) for gpu in range(count))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % count]


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Handle SIGTERM, sent by ``kill`` or by a cluster, as Ctrl-C, so that the steps are ended."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
