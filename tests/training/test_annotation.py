"""What was not annotated is not passed on, whatever the label map has there."""

import pickle

import blosc2
import numpy as np
import pytest

from mass_nnunet.training.annotation import AnnotatedDataset, KnownLabels, annotated_slices
from mass_nnunet.training.possible import PossibleClasses

POSSIBLE = PossibleClasses(4, True, ((1, 3),))
UNKNOWN, REST = 4, 5


def test_every_nth_slice_is_annotated():
    assert np.flatnonzero(annotated_slices(9, 3)).tolist() == [1, 4, 7]
    assert np.flatnonzero(annotated_slices(4, 2)).tolist() == [1, 3]
    assert annotated_slices(4, 1).all()
    assert annotated_slices(2, 9).tolist() == [False, True]
    assert annotated_slices(1, 9).any()


def test_labels_in_a_box():
    labels = np.random.default_rng(0).integers(-1, 4, (1, 6, 5, 5)).astype(np.int16)
    known = KnownLabels(labels, POSSIBLE, sparse=2)
    whole = known[:]
    assert (known.shape, known.dtype) == ((1, 6, 5, 5), np.int16)
    assert (whole[:, ::2] == UNKNOWN).all()
    assert np.array_equal(whole[:, 1::2], labels[:, 1::2])
    box = (slice(None), slice(2, 5), slice(1, 4), slice(0, 5))
    assert np.array_equal(known[box], whole[box])
    assert np.array_equal(labels, np.random.default_rng(0).integers(-1, 4, (1, 6, 5, 5))), "it is not written to"


def test_a_structure_that_was_not_annotated_is_as_unknown_as_background():
    labels = np.array([-1, 0, 1, 2, 3], np.int16).reshape(1, 1, 1, 5)
    assert KnownLabels(labels, POSSIBLE, missing=(1, 3))[:].ravel().tolist() == [-1, REST, REST, 2, REST]


@pytest.fixture
def case(tmp_path):
    """A folder with a preprocessed case: label 2 in slices 0 to 3, 3 in slice 1."""
    labels = np.zeros((1, 4, 3, 3), np.int16)
    labels[0, :, 0, 0], labels[0, 1, 2, 2] = 2, 3
    for name, values in (("a", labels.astype(np.float32)), ("a_seg", labels)):
        blosc2.asarray(values, urlpath=str(tmp_path / f"{name}.b2nd"), mode="w")
    places = {value: np.argwhere(labels == value) for value in (1, 2, 3)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"class_locations": places | {1: []}}))
    return tmp_path


def test_places_of_organs_are_those_that_were_annotated(case):
    _, labels, previous, properties = AnnotatedDataset(str(case), ["a"], POSSIBLE, {"a": (1, 3)}, 2).load_case("a")
    places = properties["class_locations"]
    assert previous is None
    assert places[2].tolist() == [[0, 1, 0, 0], [0, 3, 0, 0]]
    assert len(places[1]) == len(places[3]) == 0
    assert np.array_equal(np.unique(labels[:]), [2, UNKNOWN, REST])


def test_nnunet_finds_an_annotated_voxel_where_it_ignores_some(case):
    dataset = AnnotatedDataset(str(case), ["a"], POSSIBLE, {}, 2)
    for _ in range(10):
        ((_, z, y, x),) = dataset.load_case("a")[3]["class_locations"][-1, 0, 1, 2, 3]
        assert z in (1, 3) and max(y, x) < 3
    plain = AnnotatedDataset(str(case), ["a"], PossibleClasses(4), {}, 1)
    assert plain.load_case("a")[3]["class_locations"].keys() == {1, 2, 3}
