import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mass_nnunet.data.files import atomic_path, check_link, digest, link_or_copy, read_json, write_json
from mass_nnunet.data.machine import here
from mass_nnunet.errors import UserError


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path):
    final = tmp_path / "folder" / "image.nii.gz"
    with atomic_path(final) as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [file.name for file in final.parent.iterdir()] == ["image.nii.gz"]
    assert final.read_text() == "old"


def test_what_a_killed_process_has_left_is_removed_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    others = [f".tmp-{here()}-{os.getpid()}-b.json", ".tmp-01234567-1-a.json", ".tmp-Dataset801_A", f".tmp-{here()}-x"]
    left = f".tmp-{here()}-{ended.pid}-a.json"
    for name in (*others, left):
        (tmp_path / name).write_text("half")
    write_json(tmp_path / "a.json", {})
    assert {path.name for path in tmp_path.iterdir()} == {*others, "a.json"}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files tell no owner by number")
def test_what_another_user_has_left_stays(tmp_path, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".tmp-{here()}-{ended.pid}-a.json"
    left.write_text("half")
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    write_json(tmp_path / "a.json", {})
    assert left.exists()


def test_a_disk_that_fails_is_named_by_its_own_error(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a"):
        raise KeyboardInterrupt


def test_json_comes_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2]})
    assert read_json(tmp_path / "a.json", "") == {"b": [1, 2]}


def test_absent_or_broken_json_names_the_file_and_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"a\.json does not exist: run plan"):
        read_json(tmp_path / "a.json", "run plan")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json is not valid JSON .*: run plan"):
        read_json(tmp_path / "a.json", "run plan")


def test_a_broken_link_is_no_absent_file(tmp_path):
    (tmp_path / "a.json").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"a\.json is a broken link: repair or remove it"):
        read_json(tmp_path / "a.json", "run plan")
    (tmp_path / "gone").write_text("{}")
    check_link(tmp_path / "a.json")
    check_link(tmp_path / "absent")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_linked_or_copied_and_a_symbolic_link_is_followed(tmp_path, monkeypatch, has_links):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not has_links:
        monkeypatch.setattr("os.link", refuse)
    (tmp_path / "file").write_text("content")
    (tmp_path / "symbolic").symlink_to("file")
    final = tmp_path / "new" / "folder" / "file"
    link_or_copy(tmp_path / "symbolic", final)
    assert final.read_text() == "content"
    assert not final.is_symlink()
    assert final.samefile(tmp_path / "file") == has_links


def test_a_digest_depends_on_the_content_and_not_on_the_order_of_keys():
    assert digest({"a": [1, 2], "b": None}) == digest({"b": None, "a": (1, 2)}) != digest({"a": [2, 1], "b": None})
