import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases


def square(x: int) -> int:
    if x < 0:
        raise UserError(f"{x} is negative")
    return x * x


def die(x: int) -> None:
    os._exit(1)


@pytest.mark.parametrize("processes", [1, 2])
def test_results_in_order_and_one_line_for_bad_input(processes):
    assert map_cases(square, [3, 1, 2], processes=processes, description="x") == [9, 1, 4]
    with pytest.raises(UserError, match="-1 is negative"):
        map_cases(square, [1, -1], processes=processes, description="x")


def test_a_killed_worker():
    with pytest.raises(UserError, match="worker process was killed"):
        map_cases(die, [1, 2], processes=2, description="x")


def sleep_beside_a_file(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def test_workers_end_when_their_parent_is_killed(tmp_path):
    files = [str(tmp_path / name) for name in ("a", "b")]
    call = f"map_cases(test_workers.sleep_beside_a_file, {files}, processes=2, description='x')"
    code = f"import test_workers; from mass_nnunet.runtime.workers import map_cases\nif __name__ == '__main__': {call}"
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.DEVNULL,
    )

    def wait_for(condition) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    try:
        wait_for(lambda: all(Path(file).is_file() and Path(file).read_text() for file in files))
    finally:
        parent.kill()
        parent.wait()
    workers = [int(Path(file).read_text()) for file in files]
    wait_for(lambda: not any(is_alive(pid) for pid in workers))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path("/proc") / str(pid) / "stat"
    # Ended, but nobody has asked how: in a container there may be no process to do so.
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
