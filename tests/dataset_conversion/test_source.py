from pathlib import Path

import numpy as np
import pytest

from mass_nnunet.dataset_conversion.source import check_annotated, map_labels, stem, visible_files
from mass_nnunet.errors import UserError
from native_trees import source

TABLE = {0: 0, 1: 4, 3: 2}


def test_folders_are_found_at_any_depth(tmp_path):
    for name in ("a/b/Training/img", "c/Training", "__MACOSX/Training", ".trash/Training"):
        (tmp_path / name).mkdir(parents=True)
    assert source(tmp_path).folders("Training") == [tmp_path / "a/b/Training", tmp_path / "c/Training"]
    assert source(tmp_path / "a/b/Training").folders("Training") == [tmp_path / "a/b/Training"]
    assert source(tmp_path / "a", tmp_path / "c").folders("Training") == [
        tmp_path / "a/b/Training",
        tmp_path / "c/Training",
    ]
    assert source(tmp_path).folders("Testing") == []


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "disk/Training/img").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/Training/img/up").symlink_to(tmp_path / "disk")
    assert source(tmp_path / "here").folders("Training") == [tmp_path / "here/data/Training"]
    assert len(list(source(tmp_path / "here").walk())) == 4
    for target in ("here/self", "gone"):
        (tmp_path / "here/self").symlink_to(tmp_path / target)
        with pytest.raises(UserError, match=r"here/self is a broken link: repair or remove it"):
            source(tmp_path / "here").folders("Training")
        (tmp_path / "here/self").unlink()


def test_hidden_files_are_no_data(tmp_path):
    for name in ("b.DCM", "a.dcm", "._a.dcm", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, ".dcm")] == ["a.dcm", "b.DCM"]
    assert visible_files(tmp_path / "absent", ".dcm") == []


def test_labels_are_mapped_and_unknown_values_refused():
    assert map_labels(np.array([[0.0, 1.0], [3.0, 1.0]]), TABLE, Path("x")).tolist() == [[0, 4], [2, 4]]
    for value in (2, 4, -1, 0.5, float("nan"), float("inf")):
        with pytest.raises(UserError, match=rf"x.png holds the value {value}"):
            map_labels(np.array([0, value]), TABLE, Path("x.png"))


def test_an_empty_label_map_is_refused():
    check_annotated(np.array([0, 0, 1]), Path("x"))
    with pytest.raises(UserError, match=r"x.nii.gz has no annotated voxel: get the right file, or remove it"):
        check_annotated(np.zeros((2, 2)), Path("x.nii.gz"))


def test_stem():
    assert [stem(Path(name)) for name in ("a/x.y.nii.gz", "x.nii")] == ["x.y", "x"]
