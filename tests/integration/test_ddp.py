"""Training on two processes: what nnU-Net does with -num_gpus 2, here with gloo on the CPU."""

import os
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from annotated import is_annotated
from mass_nnunet.batch import Layout, Scans
from small_network import batch, network, objective, step_labels

LAYOUT = Layout(2, 2, 1)
PROCESSES = 2


def make_network() -> torch.nn.Module:
    torch.manual_seed(0)
    net = network(Layout(2, 2, 1)).train()
    net.active = (0, 1)
    return net


def backward(net: torch.nn.Module, rank: int, *, whole: bool) -> None:
    """One step of one process on its own batch, or on the labelled scans of it."""
    scans, labels = batch(LAYOUT, seed=rank)
    if not whole:
        labelled = is_annotated(LAYOUT)
        layout = replace(LAYOUT, unlabelled=0, registered=False)
        scans, labels = Scans(scans.images[labelled], layout), [scale[labelled] for scale in labels]
    objective()(net(scans), step_labels(labels, scans.layout)).backward()


def gradients(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in net.named_parameters()}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    net = make_network()
    # As in nnU-Net, without find_unused_parameters: a step that misses one makes the next one fail.
    wrapped = DistributedDataParallel(net)
    for whole in (False, True, False):
        net.zero_grad()
        backward(wrapped, rank, whole=whole)
        torch.save(gradients(net), Path(folder) / f"{rank}{whole}.pt")
    # DDP's gloo threads outlive destroy_process_group; one that asks for the interpreter while it ends aborts the
    # process, now and then. All is written, so leave without that end; what raises above is still reported by spawn.
    os._exit(0)


def test_gradients_of_two_processes_are_the_mean_of_each_alone(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    for whole in (True, False):
        together = [torch.load(tmp_path / f"{rank}{whole}.pt") for rank in range(PROCESSES)]
        alone = []
        for rank in range(PROCESSES):
            net = make_network()
            backward(net, rank, whole=whole)
            alone.append(gradients(net))
        for name, gradient in together[0].items():
            torch.testing.assert_close(gradient, together[1][name], msg=lambda text, name=name: f"{name}: {text}")
            expected = sum(gradients[name] for gradients in alone) / PROCESSES
            torch.testing.assert_close(gradient, expected, rtol=1e-2, atol=1e-3 * float(expected.abs().max()) + 1e-7)
        for part in ("unets.0.encoder", "unets.1.encoder", "unets.0.decoder.stages", "correspondence"):
            reached = any(g.abs().sum() > 0 for name, g in together[0].items() if name.startswith(part))
            assert reached == (whole or part != "correspondence")
