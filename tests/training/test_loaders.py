from pathlib import Path

import blosc2
import numpy as np
import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.training.loaders import (
    DistanceLoader,
    DistinctLoader,
    GroupLoader,
    UnlabelledDataset,
    unlabelled_folder,
    with_channels,
    write_labels,
)
from mass_nnunet.training.possible import PossibleClasses


def write(file: Path, value: float) -> None:
    file.parent.mkdir(exist_ok=True)
    blosc2.asarray(np.full((1, 4, 5, 6), value, np.float32), urlpath=str(file), mode="w")


def test_labels_that_blosc2_cannot_write_are_told_in_one_line_and_leave_nothing(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Error while creating the NDArray")

    monkeypatch.setattr("blosc2.asarray", fail)
    file = tmp_path / "a.b2nd"
    with pytest.raises(UserError, match=rf"^{file} cannot be written \(Error [^\n]*\): make room on the disk$"):
        write_labels(file, np.zeros((1, 2, 2, 2), np.int16))
    assert list(tmp_path.iterdir()) == []


def test_unlabelled_scans_come_from_both_folders_and_labels_are_not_opened(tmp_path):
    preprocessed = tmp_path / "plans"
    write(preprocessed / "hidden.b2nd", 1)
    (preprocessed / "hidden_seg.b2nd").write_text("not to be read")
    (preprocessed / "hidden.pkl").write_text("not to be read")
    write(unlabelled_folder(preprocessed) / "never.b2nd", 2)
    dataset = UnlabelledDataset(preprocessed, ["never", "hidden"], [tmp_path / "propagated"])
    assert dataset.identifiers == ["hidden", "never"]
    for case, value in (("hidden", 1), ("never", 2)):
        image, label, previous, properties = dataset.load_case(case)
        assert (image[:] == value).all()
        assert label.shape == (1, 4, 5, 6)
        assert (label == UNKNOWN).all()
        assert previous is None
        assert properties["class_locations"] == {}


def test_a_case_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.b2nd.*run `mass_nnunet plan`"):
        UnlabelledDataset(tmp_path / "plans", ["gone"], [tmp_path / "propagated"])


def test_known_labels_are_read_as_soon_as_they_are_there_from_the_first_folder_that_has_them(tmp_path):
    write(tmp_path / "plans" / "case.b2nd", 1)
    known = [tmp_path / "propagated", tmp_path / "place"]
    dataset = UnlabelledDataset(tmp_path / "plans", ["case"], known)
    assert (dataset.load_case("case")[1] == UNKNOWN).all()
    place = np.full((1, 4, 5, 6), ELSEWHERE, np.int16)
    propagated = np.arange(120, dtype=np.int16).reshape(1, 4, 5, 6)
    for folder, labels in zip(reversed(known), (place, propagated), strict=True):
        folder.mkdir()
        blosc2.asarray(labels, urlpath=str(folder / "case.b2nd"), mode="w")
        assert (dataset.load_case("case")[1][:] == labels).all()
        assert (dataset.labels_of("case")[:] == labels).all()
    write(known[0] / "another.b2nd", 0)
    (known[0] / "case.b2nd").unlink()
    assert (dataset.labels_of("case")[:] == place).all()


class Constant:
    """A loader of one batch, over and over."""

    def __init__(self, value: int, count: int) -> None:
        self.value, self.count, self.thread = value, count, None

    def __next__(self) -> dict:
        data = torch.full((self.count, 1, 2, 2, 2), float(self.value))
        return {"data": data, "target": [data, data[..., :1]], "keys": [str(self.value)] * self.count}

    def set_thread_id(self, thread_id: int) -> None:
        self.thread = thread_id


def test_batches_are_stacked_in_order():
    loaders = [Constant(1, 2), Constant(2, 1), Constant(3, 2)]
    group = iter(GroupLoader(loaders))
    batch = next(group)
    assert batch["data"][:, 0, 0, 0, 0].tolist() == [1, 1, 2, 3, 3]
    assert [t.shape[-1] for t in batch["target"]] == [2, 1]
    assert batch["target"][1][:, 0, 0, 0, 0].tolist() == [1, 1, 2, 3, 3]
    assert batch["keys"] == ["1", "1", "2", "3", "3"]
    group.set_thread_id(4)
    assert [loader.thread for loader in loaders] == [4, 4, 4]


def test_scans_of_fewer_channels_are_followed_by_zeros():
    padded = with_channels([torch.ones(1, 1, 2, 2, 2), torch.ones(2, 3, 2, 2, 2)])
    assert [x[0, :, 0, 0, 0].tolist() for x in padded] == [[1, 0, 0], [1, 1, 1]]


def test_a_loader_may_add_to_every_third_batch_only():
    group = GroupLoader([Constant(1, 2), Constant(2, 1), Constant(3, 2)], [1, 3, 1])
    seen = [next(group)["keys"] for _ in range(5)]
    without = ["1", "1", "3", "3"]
    assert seen == [["1", "1", "2", "3", "3"], without, without, ["1", "1", "2", "3", "3"], without]


def test_workers_do_not_all_add_to_their_first_batch():
    firsts = []
    for worker in range(4):
        group = GroupLoader([Constant(1, 1), Constant(2, 1)], [1, 4])
        group.set_thread_id(worker)
        firsts.append(next(group)["keys"])
    assert firsts == [["1", "2"], ["1"], ["1"], ["1"]]


@pytest.mark.parametrize(("cases", "distinct"), [(5, 3), (2, None)])
def test_a_batch_has_distinct_scans_where_there_are_enough(cases, distinct):
    loader = DistinctLoader.__new__(DistinctLoader)
    loader.indices, loader.batch_size = [str(i) for i in range(cases)], 3
    batches = [loader.get_indices() for _ in range(20)]
    assert all(len(batch) == 3 for batch in batches)
    if distinct:
        assert all(len(set(batch)) == distinct for batch in batches)


class OneLabel:
    """A loader of one batch, whose labels are as given."""

    def __init__(self, label: int, count: int) -> None:
        self.label, self.batch_size = label, count

    def __next__(self) -> dict:
        labels = torch.full((self.batch_size, 1, 2, 4, 4), self.label, dtype=torch.int16)
        return {"data": labels.float(), "target": [labels, labels[..., ::2]], "keys": ["case"] * self.batch_size}


def test_loader_appends_the_distances_of_the_labelled_scans():
    batch = next(DistanceLoader([OneLabel(2, 2), OneLabel(0, 1)], (1, 1, 1), PossibleClasses(4)))
    assert [tuple(t.shape) for t in batch["target"]] == [(3, 1, 2, 4, 4), (3, 1, 2, 4, 2), (2, 3, 2, 4, 4)]
    assert batch["target"][-1][:, :, 0, 0, 0].tolist() == [[1, -1, 1]] * 2
    assert len(batch["keys"]) == 3
