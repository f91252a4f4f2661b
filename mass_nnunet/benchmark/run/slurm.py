"""The cells as jobs of a SLURM cluster, through submitit (github facebookincubator/submitit)."""

from collections.abc import Mapping, Sequence
from typing import Any

from mass_nnunet.errors import UserError

from .cell import do_cell
from .job import Job
from .runner import Work, report_failures, work


class CellTask:
    """The task of one cell, which submitit calls on a node."""

    def __init__(self, job: Job, retries: int, do: Work = do_cell) -> None:
        self.job, self.retries, self.do = job, retries, do

    def __call__(self) -> str:
        """Do the cell unless it is done or another worker has it, and return its name.

        Raises:
            UserError: the cell failed; the cluster then lists the job as failed.
        """
        work([self.job], self.retries, self.do)
        report_failures([self.job])
        return self.job.cell.name

    def checkpoint(self) -> Any:
        """The task that submitit queues again after a time-out or a preemption; the cell then continues."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def submit(tasks: Sequence[CellTask], options: Mapping[str, Any], cluster: str = "slurm") -> list[Any]:
    """Queue the tasks as one array, and return submitit's jobs.

    Args:
        tasks: at least one task.
        options: options of submitit's ``AutoExecutor.update_parameters``, such as ``timeout_min``.
        cluster: ``slurm``; ``local`` starts processes on this machine, for tests.

    Raises:
        UserError: submitit is not installed, there is no SLURM, or an option is unknown.
    """
    try:
        import submitit
    except ImportError:
        raise UserError("submitit is not installed: in the folder of mass-nnunet, pip install '.[slurm]'") from None
    try:
        executor = submitit.AutoExecutor(tasks[0].job.grid.output / "slurm", cluster=cluster)
        executor.update_parameters(**options)
    except (RuntimeError, NameError, TypeError, ValueError) as error:
        raise UserError(
            f"--executor slurm: {' '.join(str(error).split())}: correct --slurm, or go to a cluster"
        ) from None
    with executor.batch():
        return [executor.submit(task) for task in tasks]
