"""Folders that one process at a time writes into."""

import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.runtime.exclusive import check_free, only_user_of
from mass_nnunet.runtime.lock import Lock, is_held


def test_a_second_user_is_refused_and_nothing_is_left_behind(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    with only_user_of(folders, "reader"):
        assert all(is_held(folder) for folder in folders)
        with pytest.raises(UserError, match=r"^\S+/a belongs to another reader: [^\n]*in 2 minutes$"):
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
