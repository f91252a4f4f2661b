"""Random numbers of the workers that load batches."""

import numpy as np
import pytest
import torch

from mass_nnunet.training.augmenters import augmenters, worker_seeds
from mass_nnunet.training.loaders import GroupLoader


class Draws(GroupLoader):
    """A loader whose batches are random numbers, from NumPy and from torch."""

    def __init__(self) -> None:
        super().__init__([])

    def set_thread_id(self, thread_id: int) -> None:
        super().set_thread_id(thread_id)
        self.thread = thread_id

    def __next__(self) -> tuple[int, int, float, float]:
        self.batches += 1
        draws = np.random.random(), float(torch.rand((), dtype=torch.float64))  # noqa: NPY002, as nnU-Net draws
        return self.thread, self.batches, *draws


def first_draws(seed: int = 0, rank: int = 0) -> dict[tuple[str, int], tuple[float, float]]:
    """The first numbers that each worker draws from NumPy and from torch, by its loader and number."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, what nnU-Net draws from
    found = {}
    for kind, batches, workers in zip(
        ("train", "val"), augmenters(Draws(), Draws(), 2, rank=rank), (2, 1), strict=True
    ):
        seen = {}
        while len(seen) < workers:
            thread, number, *draws = next(batches)
            if number == thread + 1:
                seen[(kind, thread)] = tuple(draws)
        batches._finish()
        found |= seen
    return found


def test_each_worker_draws_its_own_numbers_and_the_same_seed_gives_it_the_same():
    draws = first_draws()
    assert set(draws) == {("train", 0), ("train", 1), ("val", 0)}
    for source in (0, 1):
        assert len({numbers[source] for numbers in draws.values()}) == 3
    assert first_draws() == draws
    for other in (first_draws(seed=1), first_draws(rank=1)):
        assert not {n for numbers in other.values() for n in numbers} & {
            n for numbers in draws.values() for n in numbers
        }


@pytest.mark.parametrize("source", ["numpy", "torch"])
def test_seeds_depend_on_both_random_states(source):
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed if source == "torch" else 0)
        np.random.seed(seed if source == "numpy" else 0)  # noqa: NPY002, what nnU-Net draws from
        found.append(worker_seeds(3, rank=0))
    assert found[0] == found[1] != found[2]
    assert len(set(found[0])) == 3


def test_torch_has_another_state_in_each_worker_even_where_batchgenerators_seeds_numpy_alone():
    draws = set()
    for thread in range(2):
        torch.manual_seed(0)  # as in a forked worker
        np.random.seed(thread)  # noqa: NPY002, what batchgenerators seeds
        loader = Draws()
        loader.set_thread_id(thread)
        draws.add(next(loader)[3])
    assert len(draws) == 2


def test_processes_that_train_together_have_the_same_kinds_of_batches_in_the_same_steps():
    """Every second batch of a loader has unlabelled scans, and each worker starts at another place of this cycle."""
    kinds = []
    for rank in range(2):
        batches = augmenters(Draws(), Draws(), 3, rank=rank, ordered=True)
        kinds.append([next(batches[0])[1] % 2 for _ in range(12)])
        for each in batches:
            each._finish()
    assert kinds[0] == kinds[1] == [(step % 3 + step // 3 + 1) % 2 for step in range(12)]


class Threads(Draws):
    """A loader whose batches are the number of torch's threads."""

    def __next__(self) -> int:
        return torch.get_num_threads()


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("ordered", [False, True])
def test_a_worker_has_one_thread(ordered):
    training, validation = augmenters(Threads(), Threads(), 1, ordered=ordered)
    assert next(training) == next(validation) == 1
    for each in (training, validation):
        each._finish()


def test_without_workers_the_random_state_of_this_process_is_left_as_it_is():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    expected = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    training, validation = augmenters(Draws(), Draws(), 0)
    assert type(training).__name__ == type(validation).__name__ == "SingleThreadedAugmenter"
    assert torch.equal(torch.get_rng_state(), expected[0])
    assert (np.random.get_state()[1] == expected[1]).all()  # noqa: NPY002
