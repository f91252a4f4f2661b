import torch

from mass_nnunet.batch import Layout
from mass_nnunet.networks.blocks import set_deep_supervision
from mass_nnunet.training.teacher import MOMENTUM, WARM_UP, Teacher
from small_network import CLASSES, PATCH, network


def student() -> torch.nn.Module:
    torch.manual_seed(0)
    net = network(Layout(2, 2, 1)).train()
    net.active = (0, 1)
    return net


def test_begins_as_the_network_and_segments_as_it():
    net = student()
    teacher = Teacher(net)
    scans = torch.randn(2, 1, *PATCH)
    probabilities = teacher(scans)
    assert probabilities.shape == (2, CLASSES, *PATCH)
    assert not probabilities.requires_grad
    assert net.training
    net.eval()
    set_deep_supervision(net, False)
    torch.testing.assert_close(probabilities, net(scans).softmax(1))


def test_teaches_by_the_inference_that_it_is_asked_for():
    net = student()
    net.intensity_weight = 2.0
    teacher = Teacher(net, inference="adapted")
    net.eval()
    set_deep_supervision(net, False)
    net.inference = "adapted"
    # An organ of one intensity in noise, so that intensity adaptation has evidence.
    scans = 0.1 * torch.randn(2, 1, *PATCH)
    scans[:, :, 2:6, 4:12, 4:12] += 1
    probabilities = teacher(scans)
    torch.testing.assert_close(probabilities, net(scans).softmax(1))
    assert not torch.allclose(probabilities, Teacher(net)(scans), atol=1e-2)


def test_is_the_running_average_of_the_weights():
    net = student()
    teacher = Teacher(net)
    expected = [p.detach().clone() for p in net.parameters()]
    for step in range(1, 4):
        for p in net.parameters():
            p.data += torch.randn_like(p)
        teacher.update(net)
        momentum = step / (step + WARM_UP)
        expected = [momentum * e + (1 - momentum) * p.detach() for e, p in zip(expected, net.parameters(), strict=True)]
    for ours, theirs in zip(teacher.network.parameters(), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_remembers_for_long_once_it_is_old():
    net = student()
    teacher = Teacher(net)
    teacher.steps = 10**6
    before = [p.detach().clone() for p in teacher.network.parameters()]
    for p in net.parameters():
        p.data += 1
    teacher.update(net)
    for ours, old in zip(teacher.network.parameters(), before, strict=True):
        torch.testing.assert_close(ours - old, torch.full_like(old, 1 - MOMENTUM), rtol=1e-3, atol=1e-5)


def test_an_optimizer_of_the_network_does_not_see_it():
    net = student()
    teacher = Teacher(net)
    assert not {id(p) for p in net.parameters()} & {id(p) for p in teacher.network.parameters()}
    assert not any(p.requires_grad for p in teacher.network.parameters())
