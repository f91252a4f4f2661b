"""The jobs of a cluster, on submitit's executor for this machine; there is no SLURM here."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

import fake_jobs
from mass_nnunet.benchmark.run.slurm import CellTask, submit
from mass_nnunet.benchmark.run.state import read_record, state
from mass_nnunet.errors import UserError


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(fake_jobs.__file__).parent))
    return fake_jobs.fake_jobs(fake_jobs.fake_grid(tmp_path, seeds=1))


def test_every_cell_is_a_job(jobs, tmp_path):
    pytest.importorskip("submitit")
    (tmp_path / f"fail_{jobs[1].cell.name}").write_text("2")
    (tmp_path / f"fail_{jobs[2].cell.name}").write_text("1")
    submitted = submit([CellTask(job, 1, fake_jobs.quick) for job in jobs], {"timeout_min": 5}, cluster="local")
    errors = [job.exception() for job in submitted]
    assert [error is None for error in errors] == [True, False, True, True]
    assert "out of luck" in submitted[1].stderr()
    assert [state(job.folder) for job in jobs] == ["done", "failed", "done", "done"]


def test_task_that_is_cut_off_is_queued_again_and_goes_on(jobs, tmp_path):
    pytest.importorskip("submitit")
    held = tmp_path / f"wait_{jobs[0].cell.name}"
    held.touch()
    (job,) = submit([CellTask(jobs[0], 1, fake_jobs.quick)], {"timeout_min": 5}, cluster="local")
    end = time.monotonic() + 600
    while not fake_jobs.done(jobs[0]):
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(read_record(jobs[0].folder)["pid"], signal.SIGUSR2)  # as SLURM does when the time is up
    while len(fake_jobs.done(jobs[0])) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    held.unlink()
    assert job.result() == jobs[0].cell.name
    assert read_record(jobs[0].folder)["attempts"] == 2
    assert read_record(jobs[0].folder)["failures"] == 0


def test_no_slurm_and_unknown_options_are_said(jobs):
    pytest.importorskip("submitit")
    with pytest.raises(UserError, match="--executor slurm: "):
        submit([CellTask(jobs[0], 1)], {})
    with pytest.raises(UserError, match=r"--executor slurm: .*nonsense"):
        submit([CellTask(jobs[0], 1)], {"nonsense": 1}, cluster="local")


def test_without_submitit_the_extra_is_named(jobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"pip install '\.\[slurm\]'"):
        submit([CellTask(jobs[0], 1)], {})
