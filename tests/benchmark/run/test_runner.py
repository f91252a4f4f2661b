"""Workers with fake work: in one process, in several, killed, failing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fake_jobs
from fake_jobs import done, fake_grid, quick
from mass_nnunet.benchmark.run import runner
from mass_nnunet.benchmark.run.cell import ClaimLost
from mass_nnunet.benchmark.run.state import read_record, state, write_record
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.lock import Lock
from mass_nnunet.runtime.process import identify


@pytest.fixture
def grid(tmp_path):
    return fake_grid(tmp_path, seeds=2)


@pytest.fixture
def jobs(grid):
    return fake_jobs.fake_jobs(grid)


def start_run(output: Path, workers: int = 1, seeds: int = 2) -> subprocess.Popen:
    code = f"""
import sys
from pathlib import Path
from fake_jobs import fake_grid, fake_jobs, quick
from mass_nnunet.benchmark.run.runner import run_local
if __name__ == "__main__":
    try:
        run_local(fake_jobs(fake_grid(Path({str(output)!r}), {seeds})), {workers}, 1, quick)
    except KeyboardInterrupt:
        sys.exit(130)
"""
    script = output / "run.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(fake_jobs.__file__).parent)}
    return subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.DEVNULL)


def wait_for(condition) -> None:
    end = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_all_cells_are_done_once_in_order_and_skipped_then(jobs, capsys):
    runner.run_local(jobs, 1, 1, quick)
    assert [state(job.folder) for job in jobs] == ["done"] * 8
    assert capsys.readouterr().out.splitlines()[0] == "[1/8] A, 10 % of the labels, seed 0: starts"
    runner.run_local(jobs, 1, 1, quick)
    assert all(len(done(job)) == 1 for job in jobs)
    runner.report_failures(jobs)
    record = read_record(jobs[0].folder)
    assert record["attempts"] == 1
    assert record["failures"] == 0
    assert record["start"] <= record["end"]
    assert record["seconds"] == 60
    assert "torch" in record["versions"]


def test_broken_cell_is_retried(grid, jobs):
    (grid.output / f"fail_{jobs[1].cell.name}").write_text("1")
    runner.run_local(jobs, 1, 1, quick)
    assert [len(done(job)) for job in jobs] == [1, 2, 1, 1, 1, 1, 1, 1]
    assert read_record(jobs[1].folder)["failures"] == 1
    assert "error" not in read_record(jobs[1].folder)
    runner.report_failures(jobs)


def test_cell_that_stays_broken_is_reported_with_the_end_of_its_log(grid, jobs, capsys):
    (grid.output / f"fail_{jobs[1].cell.name}").write_text("3")
    runner.run_local(jobs, 1, 1, quick)
    assert [state(job.folder) for job in jobs] == ["done", "failed", *["done"] * 6]
    with pytest.raises(UserError, match=r"1 of 8 cells failed.*--retries 2"):
        runner.report_failures(jobs)
    error = capsys.readouterr().err
    assert f"train failed with exit status 1 ({jobs[1].folder / 'train.log'})" in error
    assert "        | out of luck" in error
    runner.run_local(jobs, 1, 1, quick)
    assert len(done(jobs[1])) == 2
    runner.run_local(jobs, 1, 3, quick)
    assert len(done(jobs[1])) == 4
    assert state(jobs[1].folder) == "done"


def test_any_error_breaks_its_cell_only(jobs, capsys):
    def work(job, lock):
        if job is jobs[0]:
            raise ValueError
        return fake_jobs.COST

    runner.run_local(jobs, 1, 0, work)
    assert [state(job.folder) for job in jobs] == ["failed", *["done"] * 7]
    with pytest.raises(UserError):
        runner.report_failures(jobs)
    assert "ValueError" in capsys.readouterr().err


def test_interrupted_cell_is_no_failure_and_is_free_at_once(jobs):
    def interrupt(job, lock):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run_local(jobs, 1, 0, interrupt)
    assert state(jobs[0].folder) == "interrupted"
    runner.run_local(jobs, 1, 0, quick)
    assert [state(job.folder) for job in jobs] == ["done"] * 8
    assert read_record(jobs[0].folder)["attempts"] == 2


def test_cell_that_was_finished_between_the_look_and_the_lock_is_left(jobs, monkeypatch):
    take = Lock.take

    def take_late(folder):
        write_record(folder, {"state": "done", "inferences": ["segmentation"]})
        return take(folder)

    (jobs[0].folder).mkdir(parents=True)
    monkeypatch.setattr(Lock, "take", take_late)
    runner.work(jobs[:1], 1, quick)
    assert done(jobs[0]) == []


def take_over(job) -> None:
    """The next number, of a process that lives."""
    (job.folder / "lock-0002").write_text(json.dumps(identify(os.getpid())))


@pytest.mark.parametrize("lives", [True, False])
def test_a_cell_that_another_machine_holds_is_done_if_its_worker_is_dead(jobs, clock, capsys, lives):
    """A cluster starts the job of a killed worker again, on another machine, long before its lock is stale."""
    lock = clock.lock_elsewhere(jobs[0].folder)
    if lives:
        clock.after(30.0, lambda: clock.touch(lock))
    runner.work(jobs[:1], 0, quick)
    assert len(done(jobs[0])) == (not lives)
    assert (clock.slept <= 31) == lives
    assert f"{lock.parent} is locked by a process on elsewhere: waiting for a sign" in capsys.readouterr().out


def test_worker_that_was_taken_over_leaves_the_record_to_the_other(jobs, capsys):
    def lose(job, lock):
        take_over(job)
        raise ClaimLost

    runner.work(jobs[:1], 0, lose)
    assert "taken over" in capsys.readouterr().out
    assert read_record(jobs[0].folder)["state"] == "running"

    def finish_too_late(job, lock):
        take_over(job)
        return fake_jobs.COST

    runner.work(jobs[1:2], 0, finish_too_late)
    assert read_record(jobs[1].folder)["state"] == "running"


def test_two_runs_at_a_time_do_every_cell_once(tmp_path):
    grid = fake_grid(tmp_path, seeds=10)
    jobs = fake_jobs.fake_jobs(grid)
    # Both are held up in their first cells, so that both work.
    for job in jobs[:2]:
        (tmp_path / f"wait_{job.cell.name}").touch()
    runs = [start_run(tmp_path, seeds=10) for _ in range(2)]
    wait_for(lambda: done(jobs[0]) and done(jobs[1]))
    for job in jobs[:2]:
        (tmp_path / f"wait_{job.cell.name}").unlink()
    assert [run.wait(600) for run in runs] == [0, 0]
    assert all(len(done(job)) == 1 for job in jobs)
    assert {pid for job in jobs for pid in done(job)} == {str(run.pid) for run in runs}
    assert all(state(job.folder) == "done" for job in jobs)


def test_killed_run_loses_one_cell_and_the_next_finishes_it(tmp_path):
    jobs = fake_jobs.fake_jobs(fake_grid(tmp_path, seeds=2))
    held = tmp_path / f"wait_{jobs[2].cell.name}"
    held.touch()
    first = start_run(tmp_path)
    wait_for(lambda: done(jobs[2]))
    first.kill()
    first.wait()
    assert [state(job.folder) for job in jobs] == ["done", "done", "interrupted", *["waiting"] * 5]
    held.unlink()
    assert start_run(tmp_path).wait(600) == 0
    assert all(state(job.folder) == "done" for job in jobs)
    assert [len(done(job)) for job in jobs] == [1, 1, 2, 1, 1, 1, 1, 1]


def test_worker_processes_share_the_cells_and_end_with_their_parent(tmp_path):
    jobs = fake_jobs.fake_jobs(fake_grid(tmp_path, seeds=2))
    held = [tmp_path / f"wait_{job.cell.name}" for job in jobs[:2]]
    for file in held:
        file.touch()
    killed = start_run(tmp_path, workers=2)
    wait_for(lambda: done(jobs[0]) and done(jobs[1]))
    killed.kill()
    killed.wait()
    wait_for(lambda: [state(job.folder) for job in jobs[:2]] == ["interrupted"] * 2)
    # Ended by `kill`, it tells its workers to end.
    ended = start_run(tmp_path, workers=2)
    wait_for(lambda: len(done(jobs[0])) == len(done(jobs[1])) == 2)
    ended.send_signal(signal.SIGTERM)
    assert ended.wait(600) == 130
    assert [state(job.folder) for job in jobs[:2]] == ["interrupted"] * 2
    for file in held:
        file.unlink()
    assert start_run(tmp_path, workers=2).wait(600) == 0
    assert all(state(job.folder) == "done" for job in jobs)
    assert [len(done(job)) for job in jobs] == [3, 3, 1, 1, 1, 1, 1, 1]


def test_a_worker_whose_disk_fails_says_so_in_one_line(tmp_path, capfd):
    """A file is where the first cells have their folders; each worker tries a cell and ends."""
    jobs = fake_jobs.fake_jobs(fake_grid(tmp_path, seeds=2))
    for job in jobs[:2]:
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        job.folder.touch()
    with pytest.raises(UserError, match="a worker ended early, and 8 of 8 cells are left: run the same command again"):
        runner.run_local(jobs, 2, 0, quick)
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert error.count(f"error: {jobs[0].folder}") == 2
    for job in jobs[:2]:
        job.folder.unlink()
    runner.run_local(jobs, 2, 0, quick)
    assert all(state(job.folder) == "done" for job in jobs)


def test_workers_do_without_torch():
    """In an interpreter of its own, where nothing has imported it: its start would take seconds and a gigabyte."""
    program = "import sys; from mass_nnunet.benchmark.run import runner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_workers_take_the_visible_gpus_in_turn(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    runner._choose_gpu(3)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    runner._choose_gpu(2)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
