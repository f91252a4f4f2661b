from pathlib import Path

import numpy as np
import pytest

from mass_nnunet.dataset_conversion.source import find_folders, map_labels, values_in, visible_files
from mass_nnunet.errors import UserError

TABLE = np.array([0, 4, -1, 2], np.int16)


def test_folders_are_found_at_any_depth(tmp_path):
    for name in ("a/b/Training/img", "c/Training", "__MACOSX/Training", ".trash/Training"):
        (tmp_path / name).mkdir(parents=True)
    assert find_folders(tmp_path, "Training") == [tmp_path / "a/b/Training", tmp_path / "c/Training"]
    assert find_folders(tmp_path / "a/b/Training", "Training") == [tmp_path / "a/b/Training"]
    assert find_folders(tmp_path, "Testing") == []
    with pytest.raises(UserError, match=r"nowhere is not a folder"):
        find_folders(tmp_path / "nowhere", "Training")


def test_hidden_files_are_no_data(tmp_path):
    for name in ("b.DCM", "a.dcm", "._a.dcm", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, ".dcm")] == ["a.dcm", "b.DCM"]
    assert visible_files(tmp_path / "absent", ".dcm") == []


def test_labels_are_mapped_and_unknown_values_refused():
    assert map_labels(np.array([[0.0, 1.0], [3.0, 1.0]]), TABLE, Path("x")).tolist() == [[0, 4], [2, 4]]
    for value in (2, 4, -1, 0.5):
        with pytest.raises(UserError, match=rf"x.png holds the value {value}"):
            map_labels(np.array([0, value]), TABLE, Path("x.png"))


def test_values_in():
    assert values_in(np.array([[0, value]], np.uint8) for value in (3, 1)) == {0, 1, 3}
