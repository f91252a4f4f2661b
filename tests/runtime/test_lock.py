import errno
import json
import os
import subprocess
import sys
import time

import pytest

from mass_nnunet.runtime import lock as lock_module
from mass_nnunet.runtime.lock import Lock, is_held
from mass_nnunet.runtime.process import identify

OTHER = {"host": "elsewhere", "view": "", "pid": 1, "born": "1"}


def write_lock(folder, number, owner, age=0.0):
    file = folder / f"lock-{number:04d}"
    file.write_text(owner if isinstance(owner, str) else json.dumps(owner))
    os.utime(file, (time.time() - age,) * 2)


def test_one_at_a_time_and_again_after_release(tmp_path):
    folder = tmp_path / "cell"
    with Lock.take(folder) as lock:
        assert is_held(folder)
        assert Lock.take(folder) is None
        assert not lock.lost
    assert not is_held(folder)
    with Lock.take(folder):
        assert is_held(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["lock-0001", "lock-0002"]


def test_lock_of_another_machine_is_held_until_it_is_stale(tmp_path):
    write_lock(tmp_path, 1, OTHER, age=50)
    assert is_held(tmp_path, stale=60)
    assert Lock.take(tmp_path, stale=60) is None
    with Lock.take(tmp_path, stale=40):
        assert (tmp_path / "lock-0002").exists()


def test_lock_of_a_dead_process_of_this_machine_is_taken_at_once(tmp_path):
    code = "import sys, os; from pathlib import Path; from mass_nnunet.runtime.lock import Lock\n"
    code += "Lock.take(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert (tmp_path / "lock-0001").exists()
    assert not is_held(tmp_path)
    Lock.take(tmp_path).release()


def test_lock_of_an_older_version_that_tells_no_birth_is_held_until_it_is_stale(tmp_path):
    older = identify(os.getpid()) | {"born": "running"}
    write_lock(tmp_path, 1, older, age=50)
    assert is_held(tmp_path, stale=60)
    assert not is_held(tmp_path, stale=40)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write_lock(tmp_path, 2, older | {"pid": ended.pid})
    assert not is_held(tmp_path)


def test_lock_that_is_just_being_written_is_held(tmp_path):
    write_lock(tmp_path, 1, "")
    assert is_held(tmp_path)
    write_lock(tmp_path, 1, "", age=1000)
    assert not is_held(tmp_path)


def test_a_lock_that_cannot_be_written_is_nobodys(tmp_path, monkeypatch):
    def fill(content, file):
        file.write('{"ho')
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("json.dump", fill)
        with pytest.raises(OSError, match="No space"):
            Lock.take(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not is_held(tmp_path)


def test_holder_keeps_it_fresh(tmp_path):
    with Lock.take(tmp_path, beat=0.01):
        os.utime(tmp_path / "lock-0001", (0, 0))
        end = time.monotonic() + 30
        while not is_held(tmp_path):
            assert time.monotonic() < end
            time.sleep(0.01)


def test_holder_that_was_presumed_dead_notices(tmp_path):
    with Lock.take(tmp_path) as first:
        os.utime(tmp_path / "lock-0001", (0, 0))
        with Lock.take(tmp_path) as second:
            assert first.lost
            assert not second.lost
        # The release of the first must not make the second's free, nor the other way round.
    assert not is_held(tmp_path)


@pytest.mark.parametrize("number", [1, 3], ids=["same number", "lower number"])
def test_a_holder_that_was_presumed_dead_leaves_a_later_lock_of_its_number_alone(tmp_path, number):
    """A second worker has taken over and tidied, and a third one begins anew."""
    for earlier in range(1, number):
        write_lock(tmp_path, earlier, OTHER, age=1000)
    first = Lock.take(tmp_path, beat=0.01, tidy=True)
    os.utime(tmp_path / f"lock-{number:04d}", (0, 0))
    Lock.take(tmp_path, tidy=True).release()
    with Lock.take(tmp_path, tidy=True) as third:
        os.utime(tmp_path / "lock-0001", (1, 1))
        first._thread.join(0.1)  # some beats
        assert (tmp_path / "lock-0001").stat().st_mtime == 1
        assert first.lost
        assert not third.lost
        first.release()
        assert not third.lost
        assert (tmp_path / "lock-0001").exists()
    assert not third.lost
    assert list(tmp_path.iterdir()) == []


def test_a_tidy_lock_leaves_no_file_not_even_those_of_dead_holders(tmp_path):
    write_lock(tmp_path, 3, OTHER, age=1000)
    write_lock(tmp_path, 4, OTHER, age=1000)
    with Lock.take(tmp_path, tidy=True):
        assert is_held(tmp_path)
        assert Lock.take(tmp_path, tidy=True) is None
    assert list(tmp_path.iterdir()) == []
    with Lock.take(tmp_path, tidy=True):
        assert is_held(tmp_path)


def test_a_tidy_holder_that_was_presumed_dead_leaves_its_successor_the_lock(tmp_path):
    first = Lock.take(tmp_path, tidy=True)
    os.utime(tmp_path / "lock-0001", (0, 0))
    with Lock.take(tmp_path, tidy=True):
        first.release()
        assert [file.name for file in tmp_path.iterdir()] == ["lock-0002"]
        assert Lock.take(tmp_path, tidy=True) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late", ["predecessor", "successor"])
def test_whoever_went_by_an_old_list_of_a_tidied_folder_steps_back(tmp_path, monkeypatch, late):
    """One worker has seen a dead holder's number 5, another an empty folder, and only one of them may get the lock."""
    if late == "predecessor":
        # 5 is removed, and another has taken number 1, between the list and the creation of number 6.
        theirs, found = 1, [5]
    else:
        # Another has taken over number 6 since a list that showed an empty folder.
        theirs, found = 6, []
    lists = [found]
    look = lock_module._numbers

    def numbers(folder):
        if not lists:
            return look(folder)
        write_lock(folder, theirs, identify(os.getpid()))
        return lists.pop()

    monkeypatch.setattr(lock_module, "_is_held", lambda *_: False)
    monkeypatch.setattr(lock_module, "_numbers", numbers)
    assert Lock.take(tmp_path, tidy=True) is None
    assert [file.name for file in tmp_path.iterdir()] == [f"lock-{theirs:04d}"]


def test_a_lock_that_is_being_removed_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "_numbers", lambda _: [1])
    assert is_held(tmp_path)


@pytest.mark.parametrize("begin", ["empty", "stale"])
def test_of_many_processes_exactly_one_takes_it(tmp_path, begin):
    rounds, processes = 50, 4
    folders = [tmp_path / str(number) for number in range(rounds)]
    for folder in folders:
        folder.mkdir()
        if begin == "stale":
            write_lock(folder, 7, OTHER, age=1000)
    code = """
import sys, time
from pathlib import Path
from mass_nnunet.runtime.lock import Lock
root = Path(sys.argv[1])
(root / f"ready_{sys.argv[2]}").touch()
while not (root / "go").exists():
    pass
taken = [(n, Lock.take(root / str(n))) for n in range(int(sys.argv[3]))]
print(*[n for n, lock in taken if lock], flush=True)
sys.stdin.read()
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(number), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    while len(list(tmp_path.glob("ready_*"))) < processes:
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.05)
    (tmp_path / "go").touch()
    # A worker ends, and its locks with it, only when all have tried.
    taken = [worker.stdout.readline().split() for worker in workers]
    for worker in workers:
        worker.communicate()
    assert sorted(int(number) for numbers in taken for number in numbers) == list(range(rounds))


def test_many_processes_that_take_and_tidy_are_never_two_at_once(tmp_path):
    """Each that has the lock makes a file that must not exist, and removes it before the release."""
    code = """
import sys, time
from pathlib import Path
from mass_nnunet.runtime.lock import Lock
folder, inside, end = Path(sys.argv[1]), Path(sys.argv[2]), time.monotonic() + 3
taken = 0
while time.monotonic() < end:
    lock = Lock.take(folder, tidy=True)
    if lock:
        with lock:
            inside.touch(exist_ok=False)
            inside.unlink()
            taken += 1
print(taken)
"""
    arguments = [sys.executable, "-c", code, str(tmp_path / "folder"), str(tmp_path / "inside")]
    workers = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    taken = [int(worker.communicate()[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sum(taken) > 0
    assert list((tmp_path / "folder").iterdir()) == []
