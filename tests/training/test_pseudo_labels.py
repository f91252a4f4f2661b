import torch

from mass_nnunet.training.loaders import UNKNOWN
from mass_nnunet.training.pseudo_labels import joined


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
