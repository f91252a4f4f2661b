"""Batches from worker processes, each of which has random numbers of its own."""

import numpy as np
import torch
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter
from batchgenerators.dataloading.nondet_multi_threaded_augmenter import NonDetMultiThreadedAugmenter
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter

from .loaders import GroupLoader


def worker_seeds(count: int, rank: int) -> list[int]:
    """Different seeds, the same in each training whose random state, NumPy's and torch's, is the same by now.

    Args:
        count: of workers.
        rank: of this process among those that train together; each has other seeds.
    """
    state = [np.random.randint(2**31), int(torch.randint(2**31, ())), rank]  # noqa: NPY002, what nnU-Net draws from
    return np.random.SeedSequence(state).generate_state(count).tolist()


def augmenters(
    training: GroupLoader,
    validation: GroupLoader,
    processes: int,
    *,
    rank: int = 0,
    ordered: bool = False,
    pin_memory: bool = False,
) -> tuple:
    """The batches of both loaders, as nnU-Net loads them: by ``processes`` workers and half as many.

    Args:
        training: loader of training batches.
        validation: loader of validation batches.
        processes: workers; with 0 this process loads both, with its own random state.
        rank: of this process among those that train together.
        ordered: whether batches come in the order of the workers, not as soon as one has a batch. Processes that train
            together then have unlabelled scans in the same steps, and none waits for another's longer step.
        pin_memory: whether batches are put in memory that a GPU copies from.
    """
    if processes == 0:
        return SingleThreadedAugmenter(training, None), SingleThreadedAugmenter(validation, None)
    validating = max(1, processes // 2)
    seeds = worker_seeds(processes + validating, rank)
    workers = (training, seeds[:processes]), (validation, seeds[processes:])
    if ordered:
        return tuple(
            MultiThreadedAugmenter(loader, None, len(its_seeds), 1, its_seeds, pin_memory)
            for loader, its_seeds in workers
        )
    return tuple(
        NonDetMultiThreadedAugmenter(
            loader, None, len(its_seeds), num_cached=max(3, len(its_seeds) // 2), seeds=its_seeds, pin_memory=pin_memory
        )
        for loader, its_seeds in workers
    )
