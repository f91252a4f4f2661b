import pytest

import fake_jobs
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.benchmark.run.status import describe_progress, seconds_left
from mass_nnunet.runtime.lock import Lock


@pytest.fixture
def grid(tmp_path):
    return fake_jobs.fake_grid(tmp_path, seeds=2)


@pytest.fixture
def jobs(grid):
    return fake_jobs.fake_jobs(grid)


def finish(job, seconds):
    write_record(job.folder, {"state": "done", "seconds": seconds})


def test_nothing_begun(grid):
    assert describe_progress(grid).splitlines() == [
        "method  10 %       50 %",
        "A       2 waiting  2 waiting",
        "B       2 waiting  2 waiting",
        "",
        "8 cells: 8 waiting; how long is left is known when the first is done",
    ]


def test_everything_at_once(grid, jobs):
    # Seed 0: A 10 %, B 10 %, A 50 %, B 50 %; then seed 1.
    finish(jobs[0], 600)
    failure = {"state": "failed", "failures": 2, "error": "train was killed by signal 9", "log": "/x/train.log"}
    write_record(jobs[1].folder, failure)
    write_record(jobs[3].folder, {"state": "running"})
    running = {"state": "running", "start": 0.0, "host": "node7", "pid": 12}
    write_record(jobs[2].folder, running)
    with Lock.take(jobs[2].folder):
        text = describe_progress(grid)
    assert text.splitlines()[:5] == [
        "method  10 %                 50 %",
        "A       1 done, 1 waiting    1 running, 1 waiting",
        "B       1 failed, 1 waiting  1 interrupted, 1 waiting",
        "",
        "8 cells: 1 done, 1 running, 1 interrupted, 1 failed, 4 waiting; about 50 min left with 1 at a time",
    ]
    assert "running: A, 50 % of the labels, seed 0, on node7 (pid 12) since 1970-01-01" in text
    assert "failed 2 x: B, 10 % of the labels, seed 0: train was killed by signal 9 (/x/train.log)" in text


def test_all_done(grid, jobs):
    for job in jobs:
        finish(job, 1.0)
    assert describe_progress(grid).splitlines()[-1] == "8 cells: 8 done"


def test_time_left_is_learned_from_the_cells_of_the_method(grid):
    a0, b0, a1, b1, *_ = grid.cells
    states = {a0: "done", a1: "done", b0: "running", b1: "waiting"}
    records = {a0: {"seconds": 100.0}, a1: {"seconds": 300.0}, b0: {"start": 950.0}, b1: {}}
    assert seconds_left(states, records, 1000.0) == pytest.approx((200 - 50) + 200)
    states[b0], records[b0] = "done", {"seconds": 40.0}
    assert seconds_left(states, records, 1000.0) == pytest.approx(40)
    states[a0] = states[a1] = "running"
    records[a0] = records[a1] = {"start": 0.0}  # longer than expected
    assert seconds_left(states, records, 1000.0) == pytest.approx(40 / 2)
    assert seconds_left({a0: "waiting", b0: "failed"}, {a0: {}, b0: {}}, 0.0) is None
