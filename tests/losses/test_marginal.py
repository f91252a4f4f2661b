import torch
import torch.nn.functional as F

from mass_nnunet.losses.marginal import marginal_cross_entropy, merged_into_background, told
from mass_nnunet.losses.overlap import one_hot

SHAPE = (3, 4, 5)


def test_one_possible_class_gives_the_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 4, *SHAPE), torch.randint(0, 4, (2, *SHAPE))
    possible = one_hot(labels[:, None], 4).bool()
    torch.testing.assert_close(marginal_cross_entropy(logits, possible), F.cross_entropy(logits, labels))


def test_probabilities_of_possible_classes_are_added_up():
    """Softmax 1/8, 1/2, 1/4, 1/8; possible are the first and the third; all classes at a voxel say nothing."""
    logits = torch.tensor([1.0, 4.0, 2.0, 1.0]).log().view(1, 4, 1, 1, 1).expand(-1, -1, 1, 1, 2)
    possible = torch.tensor([[True, True], [False, True], [True, True], [False, True]]).view(1, 4, 1, 1, 2)
    expected = -torch.tensor(1 / 8 + 1 / 4).log()
    torch.testing.assert_close(marginal_cross_entropy(logits, possible), expected)
    assert marginal_cross_entropy(logits, torch.ones_like(possible)) == 0


def test_the_gradient_is_that_of_merged_classes():
    """p_k - p_k / sum of the possible p for a possible class, p_k for another one, 0 where all are possible."""
    torch.manual_seed(0)
    logits = torch.randn(1, 4, *SHAPE, requires_grad=True)
    possible = torch.rand(1, 4, *SHAPE) < 0.5
    possible[:, 0] = True
    possible[..., 0] = True
    marginal_cross_entropy(logits, possible).backward()
    p = logits.detach().softmax(1)
    counted = ~possible.all(1, keepdim=True)
    expected = (p - p * possible / (p * possible).sum(1, keepdim=True)) * counted / counted.sum()
    torch.testing.assert_close(logits.grad, expected)
    assert not logits.grad[..., 0].any()


def test_what_is_told_of_each_class():
    """A class; background or the last class; any class."""
    possible = torch.tensor([[False, True, False], [True, False, True], [True, True, True]])
    assert told(possible).tolist() == [[True, True, True], [False, True, False], [False, False, False]]


def test_merged_classes_add_their_probabilities_to_background():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, *SHAPE, dtype=torch.float16)
    kept = torch.tensor([[True, False, False], [True, True, True]])
    p, merged = logits.float().softmax(1), merged_into_background(logits, kept).softmax(1)
    torch.testing.assert_close(merged[0, 0], p[0, 0] + p[0, 2] + p[0, 3])
    torch.testing.assert_close(merged[0, 1], p[0, 1])
    assert not merged[0, 2:].any()
    torch.testing.assert_close(merged[1], p[1])
    of_certain = merged_into_background(one_hot(torch.full((2, 1, *SHAPE), 2), 4).log(), kept).exp()
    assert (of_certain.argmax(1) == torch.tensor([0, 2]).view(2, 1, 1, 1)).all()


def test_a_merged_class_is_neither_denied_nor_confirmed():
    """The cross entropy of background is the marginal one, with the same gradient, and finite."""
    torch.manual_seed(0)
    kept = torch.tensor([[True, False, False]])
    labels = torch.randint(0, 2, (1, *SHAPE))
    possible = one_hot(labels[:, None], 4).bool()
    possible[:, 2:] |= labels[:, None] == 0
    gradients = []
    for loss in (
        lambda x: F.cross_entropy(merged_into_background(x, kept), labels),
        lambda x: marginal_cross_entropy(x, possible),
    ):
        logits = torch.linspace(-3, 3, possible.numel()).view(possible.shape).requires_grad_()
        loss(logits).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients)
