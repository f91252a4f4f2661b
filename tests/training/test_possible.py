import torch

from mass_nnunet.training.possible import PossibleClasses, missing_classes, possible_classes

LABELS = {"background": 0, "spleen": 1, "liver": 2, "ignore": 3}


def test_labels_of_scans_that_are_annotated_in_part():
    annotated = [{"a": ("liver",), "b": ("spleen",)}, {"c": ("liver",)}, {}]
    possible = possible_classes(LABELS, True, annotated)
    assert possible == PossibleClasses(3, True, ((1,), (2,)))
    assert (possible.ignored, possible.background((1,)), possible.background((2,)), possible.background(())) == (
        3,
        4,
        5,
        0,
    )
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0], [1, 0, 1]]
    assert torch.equal(possible.table(), torch.tensor(expected).bool())
    assert not possible.everything_known


def test_whole_annotations():
    possible = possible_classes(LABELS, False, [{}, {}])
    assert possible.everything_known
    assert torch.equal(possible.table()[:3], torch.eye(3).bool())


def test_missing_classes():
    assert missing_classes(None, LABELS) == ()
    assert missing_classes(("liver",), LABELS) == (1,)
    assert missing_classes((), LABELS) == (1, 2)
