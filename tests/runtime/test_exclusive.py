"""Folders that one process at a time writes into."""

import os

import pytest

from fake_clock import ELSEWHERE
from mass_nnunet.errors import UserError
from mass_nnunet.runtime import lock as lock_module
from mass_nnunet.runtime.exclusive import BEAT, STALE, check_free, only_user_of
from mass_nnunet.runtime.lock import Lock, is_held


def test_a_second_user_is_refused_and_nothing_is_left_behind(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    with only_user_of(folders, "reader"):
        assert all(is_held(folder) for folder in folders)
        with pytest.raises(UserError, match=r"^\S+/a belongs to another reader: start again when that has ended$"):
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
def test_a_job_that_is_queued_again_elsewhere_waits_until_its_own_lock_is_stale(tmp_path, clock, capsys, content):
    lock = clock.lock_elsewhere(tmp_path, content=content)
    check_free([tmp_path], "reader")
    assert STALE < clock.slept < STALE + BEAT
    clock.touch(lock, age=STALE / 2)
    before = clock.slept
    with only_user_of([tmp_path], "reader"):
        assert is_held(tmp_path)
    assert STALE / 2 < clock.slept - before < STALE / 2 + BEAT
    assert list(tmp_path.iterdir()) == []
    told = f"{tmp_path} is locked by a process on elsewhere: waiting for a sign that it lives, up to 2 minutes\n"
    assert capsys.readouterr().out == told * 2 * (content == ELSEWHERE)


def test_a_holder_elsewhere_that_lives_is_waited_for_no_longer_than_until_its_next_beat(tmp_path, clock):
    lock = clock.lock_elsewhere(tmp_path)
    clock.after(5.0, lambda: clock.touch(lock))
    with (
        pytest.raises(UserError, match=r"/\S+ belongs to another reader: start again"),
        only_user_of([tmp_path], "reader"),
    ):
        pass
    assert 5 <= clock.slept <= 6
    assert list(tmp_path.iterdir()) == [lock]


def test_a_clock_that_goes_ahead_does_not_keep_a_process_waiting(tmp_path, clock):
    os.utime(clock.lock_elsewhere(tmp_path), (4e9, 4e9))
    with pytest.raises(UserError, match="belongs to another reader"):
        check_free([tmp_path], "reader")
    assert STALE < clock.slept < STALE + 2 * BEAT


def test_a_list_of_the_folder_from_before_a_lock_is_no_reason_to_hurry(tmp_path, clock, monkeypatch):
    """A network file system may hide the file that another process has just made."""
    lock, tries = clock.lock_elsewhere(tmp_path), []
    look, take = lock_module._numbers, Lock.take
    monkeypatch.setattr(lock_module, "_numbers", lambda folder: look(folder) if clock.slept > 40 else [])
    monkeypatch.setattr(Lock, "take", lambda *args, **options: tries.append(clock.slept) or take(*args, **options))
    clock.after(50.0, lambda: clock.touch(lock))
    with pytest.raises(UserError, match="belongs to another reader"), only_user_of([tmp_path], "reader"):
        pass
    assert tries == list(range(len(tries)))
    assert 40 <= len(tries) <= 42


def test_a_folder_that_always_looks_free_is_given_up(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(Lock, "take", lambda *_, **__: None)
    with pytest.raises(UserError, match="belongs to another reader"), only_user_of([tmp_path], "reader"):
        pass
    assert clock.slept == STALE


def test_whoever_lost_a_folder_says_so(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    lost = rf"^{two} was taken over by another reader, [^\n]*$"
    with pytest.raises(UserError, match=lost), only_user_of([one, two], "reader") as own:
        own.check()
        os.utime(two / "lock-0001", (0, 0))
        with Lock.take(two, tidy=True), pytest.raises(UserError, match=lost):
            own.check()
        with pytest.raises(UserError, match=lost):
            own.check()  # that one has ended, too
    own.check()
    assert not one.exists()
    assert not two.exists()
