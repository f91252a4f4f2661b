"""A training on two processes, as nnUNetv2_train -num_gpus 2 runs it, here with gloo on the CPU."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as nnunet_module
from torch.nn.parallel import DistributedDataParallel

from mass_nnunet.runtime.lock import is_held
from mass_nnunet.trainers.base.group import GroupTrainer
from method_checks import model_folder
from tiny_group import CT, MRI, trainer, with_batch

PROCESSES = 2


def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net takes for granted that several processes have a GPU each."""
    make = GroupTrainer.make_dataset_trainers

    def trainers(one: GroupTrainer) -> list[GroupTrainer]:
        found = make(one)
        for each in found:
            each.device, each.grad_scaler = torch.device("cpu"), None
        return found

    def on_cpu(network: torch.nn.Module, device_ids: list[int]) -> DistributedDataParallel:
        return DistributedDataParallel(network)

    monkeypatch.setattr(GroupTrainer, "make_dataset_trainers", trainers)
    monkeypatch.setattr(nnunet_module, "DDP", on_cpu)


def work(rank: int, root: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{root}/meet", rank=rank, world_size=PROCESSES)
    torch.manual_seed(rank)
    np.random.seed(rank)  # noqa: NPY002, what nnU-Net draws from
    with pytest.MonkeyPatch.context() as patch:
        on_the_cpu(patch)
        one = trainer("MASSTrainer")
        one.device = torch.device("cpu")  # the network is made before the partners
        one.num_epochs, one.num_iterations_per_epoch = 2, 2
        one.initialize()
        sent, send = [], DistributedDataParallel._sync_buffers
        patch.setattr(DistributedDataParallel, "_sync_buffers", lambda net: (sent.append(1), send(net)))
        begin, held = one.on_train_epoch_start, []

        def epoch_start() -> None:
            begin()
            held.append([is_held(Path(each.output_folder)) for each in one.dataset_trainers])

        patch.setattr(one, "on_train_epoch_start", epoch_start)
        one.run_training()
    told = {
        "batch": one.batch_size,
        "sent": len(sent),
        "held": held,
        "network": one.module.state_dict(),
        "teacher": one.teacher.state(),
    }
    torch.save(told, Path(root) / f"told_{rank}.pt")
    os._exit(0)  # gloo's threads: see tests/integration/test_ddp.py


def test_two_processes_train_one_model_without_sending_the_atlases(root):
    with_batch(root, 2 * PROCESSES)
    torch.multiprocessing.spawn(work, (str(root),), nprocs=PROCESSES)
    told = [torch.load(root / f"told_{rank}.pt", weights_only=True) for rank in range(PROCESSES)]
    for one in told:
        assert one["batch"] == 2
        assert one["sent"] == 0
        assert one["held"] == [[True, True]] * 2
    first, second = told
    assert first["teacher"]["steps"] == second["teacher"]["steps"] == 4
    for key, tensor in first["network"].items():
        assert torch.equal(tensor, second["network"][key]), key
    for key, tensor in first["teacher"]["weights"].items():
        assert torch.equal(tensor, second["teacher"]["weights"][key]), key
    assert first["network"]["atlases.outlined"].tolist() == [1, 1]
    assert first["network"]["atlases.images"].abs().sum() > 0
    for name in (CT, MRI):
        folder = model_folder(root, name, "MASSTrainer") / "fold_0"
        assert (folder / "checkpoint_final.pth").is_file()
        assert not list(folder.glob("lock-*"))
