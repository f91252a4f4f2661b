"""Folders that one process at a time writes into."""

import json
import os
import threading

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.runtime import exclusive
from mass_nnunet.runtime.exclusive import check_free, only_user_of
from mass_nnunet.runtime.lock import Lock, is_held

ELSEWHERE = json.dumps({"host": "elsewhere", "view": "", "pid": 1, "born": "1"})


@pytest.fixture
def quick(monkeypatch):
    """Beats and deaths within fractions of a second."""
    monkeypatch.setattr(exclusive, "BEAT", 0.1)
    monkeypatch.setattr(exclusive, "STALE", 0.5)


def test_a_second_user_is_refused_and_nothing_is_left_behind(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    with only_user_of(folders, "reader"):
        assert all(is_held(folder) for folder in folders)
        with pytest.raises(
            UserError, match=r"^\S+/a belongs to another reader, which runs: start again when that has ended$"
        ):
            check_free(folders, "reader")
        with pytest.raises(UserError, match=r"^\S+/b belongs to"), only_user_of(folders[::-1], "reader"):
            pass
        (folders[1] / "written").touch()
    check_free(folders, "reader")
    assert list(tmp_path.rglob("*")) == [folders[1], folders[1] / "written"]


def test_of_several_folders_none_stays_locked_where_one_is_taken(tmp_path):
    with Lock.take(tmp_path / "b", tidy=True):
        with (
            pytest.raises(UserError, match="/b belongs to another"),
            only_user_of([tmp_path / "a", tmp_path / "b"], "x"),
        ):
            pass
        assert not is_held(tmp_path / "a")


def test_a_folder_that_does_not_exist_is_free_and_is_not_made(tmp_path):
    check_free([tmp_path / "a"], "reader")
    assert not (tmp_path / "a").exists()


def test_it_is_given_back_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), only_user_of([tmp_path], "reader"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [ELSEWHERE, "{"], ids=["whole", "half-written"])
def test_a_job_that_is_queued_again_elsewhere_waits_until_its_own_lock_is_stale(tmp_path, quick, capsys, content):
    (tmp_path / "lock-0001").write_text(content)
    check_free([tmp_path], "reader")
    (tmp_path / "lock-0001").touch()
    with only_user_of([tmp_path], "reader"):
        assert is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    told = f"{tmp_path} is locked by a process on elsewhere: waiting for a sign that it lives, up to 0 minutes\n"
    assert capsys.readouterr().out == told * 2 * (content == ELSEWHERE)


def test_a_holder_elsewhere_that_lives_is_waited_for_no_longer_than_until_its_next_beat(tmp_path, monkeypatch):
    monkeypatch.setattr(exclusive, "BEAT", 0.1)
    lock = tmp_path / "lock-0001"
    lock.write_text(ELSEWHERE)
    beat = threading.Timer(0.3, os.utime, (lock, (lock.stat().st_mtime + 10,) * 2))
    beat.start()
    with (
        pytest.raises(UserError, match=r"/\S+ belongs to another reader, which runs"),
        only_user_of([tmp_path], "reader"),
    ):
        pass
    beat.join()
    assert list(tmp_path.iterdir()) == [lock]


def test_a_clock_that_goes_ahead_does_not_keep_a_process_waiting(tmp_path, quick):
    (tmp_path / "lock-0001").write_text(ELSEWHERE)
    os.utime(tmp_path / "lock-0001", (4e9, 4e9))
    with pytest.raises(UserError, match="belongs to another reader"):
        check_free([tmp_path], "reader")


def test_whoever_lost_a_folder_says_so(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    lost = rf"^{two} was taken over by another reader, [^\n]*$"
    with pytest.raises(UserError, match=lost), only_user_of([one, two], "reader") as claim:
        claim.check()
        os.utime(two / "lock-0001", (0, 0))
        with Lock.take(two, tidy=True), pytest.raises(UserError, match=lost):
            claim.check()
        with pytest.raises(UserError, match=lost):
            claim.check()  # that one has ended, too
    claim.check()
    assert not one.exists()
    assert not two.exists()
