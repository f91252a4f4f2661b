"""Two processes train as one with the same global batch, and one that is killed ends the other. By gloo, on the CPU."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mass_nnunet.batch import Layout
from small_network import batch, network, objective, step_labels

PROCESSES, STEPS = 2, 4


def make_network() -> nn.Module:
    torch.manual_seed(0)
    net = network(Layout(2, 2, 1)).train()
    net.active = (0, 1)
    return net


def train(net: nn.Module, batches: list[list[tuple]], average: bool) -> list[float]:
    """Steps of AdamW on the mean loss of the parts of each batch; the losses."""
    optimizer, losses = torch.optim.AdamW(net.parameters(), 1e-3), []
    for parts in batches:
        optimizer.zero_grad()
        values = []
        for scans, labels in parts:
            loss = objective()(net(scans), step_labels(labels, scans.layout)) / len(parts)
            loss.backward()
            values.append(loss.detach())
        optimizer.step()
        total = torch.stack(values).sum()
        if average:  # over the processes, as nnU-Net does for its log
            dist.all_reduce(total)
            total /= PROCESSES
        losses.append(float(total))
    return losses


def global_batches() -> list[list[tuple]]:
    """Batches of each step, in the parts that the processes have."""
    return [
        [batch(Layout(2, 2, 1), seed=PROCESSES * step + rank) for rank in range(PROCESSES)] for step in range(STEPS)
    ]


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    net = make_network()
    losses = train(DistributedDataParallel(net), [[parts[rank]] for parts in global_batches()], average=True)
    torch.save({"losses": losses, "weights": net.state_dict()}, Path(folder) / f"{rank}.pt")
    os._exit(0)  # gloo's threads: see tests/integration/test_ddp.py


def test_losses_and_weights_of_two_processes_are_those_of_one_with_the_same_global_batch(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES))
    net = make_network()
    losses = train(net, global_batches(), average=False)
    assert first["losses"] == second["losses"] == pytest.approx(losses, rel=1e-4)
    started, trained = make_network().state_dict(), net.state_dict()
    for key, weight in trained.items():
        assert torch.equal(first["weights"][key], second["weights"][key]), key
        if weight.is_floating_point():
            way, distance = ((weight - other[key]).norm() for other in (started, first["weights"]))
            assert distance <= 1e-3 * way, key


def killed(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    wrapped = DistributedDataParallel(make_network())
    for step, parts in enumerate(global_batches()):
        if rank == 1 and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        train(wrapped, [[parts[rank]]], average=False)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_ends_the_others_with_a_line(tmp_path):
    """As nnUNetv2_train -num_gpus 2 starts them, by torch.multiprocessing.spawn."""
    begin = time.monotonic()
    with pytest.raises(
        Exception, match=r"process 1 terminated with signal SIGKILL|[Cc]onnection (closed|reset) by peer"
    ):
        torch.multiprocessing.spawn(killed, (str(tmp_path),), nprocs=PROCESSES)
    assert time.monotonic() - begin < 120
    assert not torch.multiprocessing.active_children()
