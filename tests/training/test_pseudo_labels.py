import numpy as np
import torch

from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.training.pseudo_labels import gated, joined


def test_teacher_and_atlases_are_joined_where_both_speak():
    teacher = torch.tensor([0.6, 0.3, 0.1]).view(1, 3, 1, 1, 1).expand(1, 3, 1, 2, 2)
    propagated = torch.tensor([[0, 1], [2, UNKNOWN]]).view(1, 1, 1, 2, 2)
    both = joined(teacher, propagated)[0, :, 0]
    expected = torch.tensor([[0.8, 0.15, 0.05], [0.3, 0.65, 0.05], [0.3, 0.15, 0.55], [0.6, 0.3, 0.1]])
    torch.testing.assert_close(both.flatten(1).T, expected)


def test_where_they_contradict_each_other_no_class_exceeds_a_threshold():
    sure = torch.eye(3)[[1, 1]].T.reshape(1, 3, 1, 1, 2)
    both = joined(sure, torch.tensor([1, 2]).view(1, 1, 1, 1, 2))
    torch.testing.assert_close(both.amax(1).flatten(), torch.tensor([1.0, 0.5]))


def test_where_no_organ_can_be_background_is_certain_though_the_teacher_is_sure_of_an_organ():
    sure = torch.tensor([0.01, 0.01, 0.98]).view(1, 3, 1, 1, 1).expand(1, 3, 1, 1, 4)
    known = torch.tensor([ELSEWHERE, UNKNOWN, 2, 0]).view(1, 1, 1, 1, 4)
    for kind in (torch.int16, torch.int64, torch.float32):  # the loaders' own, and what nnU-Net makes of them
        both = joined(sure, known.to(kind))[0, :, 0, 0].T
        expected = torch.tensor([[1, 0, 0], [0.01, 0.01, 0.98], [0.005, 0.005, 0.99], [0.505, 0.005, 0.49]])
        torch.testing.assert_close(both, expected)


def test_labels_of_another_tool_count_where_atlases_do_not_contradict_them():
    propagated = np.array([0, 1, 1, 2, UNKNOWN, UNKNOWN, ELSEWHERE], np.int16)
    outside = np.array([0, 1, 2, 0, 0, 3, 3], np.int16)
    found = gated(propagated, outside)
    assert found.tolist() == [0, 1, UNKNOWN, UNKNOWN, 0, 3, ELSEWHERE]
    assert found.dtype == np.int16


def test_they_teach_only_what_the_head_holds_for_likely():
    """Voxels: head and tool agree, the head is undecided, the head is sure of another class."""
    head = torch.tensor([[0.1, 0.5, 0.9], [0.9, 0.5, 0.1]])[None, :, None, None]
    mean = joined(head, torch.ones(1, 1, 1, 1, 3, dtype=torch.long))
    assert (mean.amax(1) >= 0.75).flatten().tolist() == [True, True, False]
