"""A GPU is not waited for: what a training step does that would make the processor and the device wait for each other.

Stock nnU-Net waits twice a step, for the loss and for the scale of the gradients; both come after what is counted here.
"""

from collections import Counter

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mass_nnunet import trainers
from mass_nnunet.batch import Layout
from mass_nnunet.training.shares import starting_points
from method_checks import started
from small_network import CLASSES, PATCH, batch, network, objective, step_labels

aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.is_nonzero.default, aten.lift_fresh.default}
"""Reading a value, counting true values, and a copy of a constant from the host."""
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""Operations that count the true values first, if the index is boolean."""

COPIES = {torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item}
"""Copies to the processor."""


class Waits(TorchDispatchMode):
    """Counts the operations that would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in WAITS or (function in INDEXING and any(is_mask(index) for index in args[1])):
            self.counts[str(function)] += 1
        return function(*args, **(kwargs or {}))


class Copies(TorchFunctionMode):
    """Counts copies between processor and device that would wait, which do nothing if the device is a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = (*args, *kwargs.values())
        moves = function is torch.Tensor.to and any(isinstance(value, torch.device | str) for value in given)
        if function in COPIES or (moves and not kwargs.get("non_blocking", False)):
            self.counts[function.__name__] += 1
        return function(*args, **kwargs)


def is_mask(index: torch.Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


@pytest.mark.parametrize("name", trainers.__all__)
def test_a_step_waits_for_nothing(root, name):
    one = started(name)
    one.on_train_epoch_start()
    for _ in range(2):  # MASSTrainer has batches with unlabelled scans, and without
        batch = next(one.dataloader_train)
        with Waits() as waits, Copies() as copies:
            prepared = one.prepare(batch)
            one.loss(one.network(prepared["data"]), prepared["target"]).backward()
        assert not waits.counts
        assert not copies.counts


def test_what_waits_is_counted():
    values = torch.arange(4.0)
    with Waits() as waits:
        values[values > 1] = 0
        float(values.sum())
        torch.tensor([1, 2])
    assert sum(waits.counts.values()) >= 3
    with Copies() as copies:
        values.cpu().numpy()
        values.to("cpu")
        values.to(device="cpu", non_blocking=True)
    assert copies.counts == {"cpu": 1, "numpy": 1, "to": 1}


@pytest.fixture
def fake_gpu():
    """A GPU whose tensors have shapes and no values: what reads a value raises."""
    with FakeTensorMode():
        yield torch.device("cuda:0")


def test_forward_pass_and_loss_read_no_value_on_a_gpu(fake_gpu):
    layout = Layout(2, 2, 1)
    with fake_gpu:
        net = network(layout).train()
    net.active = (0, 1)
    scans, labels = batch(layout)
    labels = [scale.to(fake_gpu) for scale in labels]
    pseudo_labels = torch.randn(2, CLASSES, *PATCH, device=fake_gpu).softmax(1)
    target = step_labels(labels, layout, pseudo_labels=pseudo_labels)
    start = starting_points(target.context.shares, layout)
    with torch.autocast("cuda"):
        loss = objective()(net(scans._replace(start=start).to(fake_gpu)), target)
    assert loss.device == fake_gpu
    with pytest.raises(DynamicOutputShapeException):
        labels[0][labels[0] > 0]
