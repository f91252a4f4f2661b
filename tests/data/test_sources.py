"""Records of what preprocessed arrays were made of."""

import json
import os
import shutil

import pytest

from mass_nnunet.data import sources
from mass_nnunet.data.sources import digested, is_made_of, may_have_changed, record_file, stated, write_record


@pytest.fixture
def files(tmp_path):
    """A scan of two channels, and the array that was made of it."""
    (tmp_path / "raw").mkdir()
    files = [tmp_path / "raw" / name for name in ("a_0000.nii", "a_0001.nii")]
    for file in files:
        file.write_bytes(file.name.encode())
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "a.b2nd").touch()
    write_record(tmp_path / "arrays", "a", digested(files))
    return files


def made(files) -> bool:
    return is_made_of(files[0].parents[1] / "arrays", "a", files)


def changed(files) -> bool:
    return may_have_changed(files[0].parents[1] / "arrays" / "a.b2nd", "a", files)


def put(file, content: bytes, seconds: float) -> None:
    """Replace a file by another one, whose time is that of the former and some seconds."""
    before = file.stat().st_mtime_ns
    other = file.with_name("other")
    other.write_bytes(content)
    other.replace(file)
    os.utime(file, ns=(before, before + int(seconds * 1e9)))


def test_files_that_stayed_are_known_without_reading_them(files, monkeypatch):
    monkeypatch.setattr(sources, "_digest", lambda file: pytest.fail(f"{file} is read"))
    assert made(files) and not changed(files)


@pytest.mark.parametrize("seconds", [-1e6, 0, 1e6])
@pytest.mark.parametrize("content", [b"b_0001.nii", b"longer than before"])
def test_a_file_of_whatever_time_is_another_one_by_its_content(files, content, seconds):
    put(files[1], content, seconds)
    assert not made(files)
    assert changed(files) or (seconds == 0 and len(content) == len("a_0001.nii")), "none is read"


def test_a_copy_of_all_is_known_and_read_once(files, tmp_path, monkeypatch):
    shutil.copytree(tmp_path, tmp_path / "copy", copy_function=shutil.copyfile)
    copies = [tmp_path / "copy" / "raw" / file.name for file in files]
    for file in copies:
        os.utime(file, (1, 1))
    assert changed(copies) and made(copies)
    monkeypatch.setattr(sources, "_digest", lambda file: pytest.fail(f"{file} is read"))
    assert made(copies) and not changed(copies)
    put(copies[0], b"b_0000.nii", 0)
    monkeypatch.undo()
    assert not made(copies)


def test_another_number_of_files_and_other_names_are_others(files):
    assert not made(files[:1])
    assert not made([*files, files[0].parent.parent / "arrays" / "a.b2nd"])
    other = files[1].with_name("a_0002.nii")
    files[1].rename(other)
    assert not made([files[0], other]) and changed([files[0], other]) and changed(files)


def test_a_part_of_the_files_can_be_asked_for(files):
    put(files[1], b"another", 0)
    assert changed(files) and not changed(files[:1])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "1", "{}", '{"a_0000.nii": 3, "a_0001.nii": null}', '{"a_0000.nii": {}}', "[" * 10**5],
)
def test_a_record_that_cannot_be_read_is_of_nothing(files, tmp_path, content):
    record_file(tmp_path / "arrays", "a").write_text(content)
    assert not made(files)


def test_without_a_record_times_decide_what_is_told_and_nothing_is_taken_as_made(files, tmp_path):
    shutil.rmtree(tmp_path / "arrays" / sources.SOURCES)
    assert not made(files) and not changed(files)
    os.utime(files[0], (2e9, 2e9))
    assert changed(files)


def test_a_record_names_no_folder(files, tmp_path):
    text = record_file(tmp_path / "arrays", "a").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text).keys() == stated(files).keys() == {"a_0000.nii", "a_0001.nii"}
