"""Time of our local correlation relative to MONAI's: processor time of forward and backward pass in one thread.

    python experiments/lncc.py

The two take turns in one process. Needs the extra ``dev`` (MONAI).
"""

import time
from collections.abc import Callable
from statistics import median

import torch
from monai.losses.image_dissimilarity import LocalNormalizedCrossCorrelationLoss
from torch import Tensor

from mass_nnunet.losses.similarity import local_correlation_loss

SHAPES = ((2, 1, 16, 48, 48), (2, 1, 32, 96, 96))
REPEATS = 7


def seconds(loss: Callable[[Tensor, Tensor], Tensor], image: Tensor, reference: Tensor) -> float:
    """Processor time of a forward and a backward pass."""
    start = time.process_time()
    loss(image, reference).backward()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "ours": local_correlation_loss,
        "MONAI": LocalNormalizedCrossCorrelationLoss(kernel_size=9),
    }
    for shape in SHAPES:
        image, reference = torch.randn(shape, requires_grad=True), torch.randn(shape)
        times: dict[str, list[float]] = {name: [] for name in losses}
        for _ in range(REPEATS + 1):
            for name, loss in losses.items():
                times[name].append(seconds(loss, image, reference))
        ours, theirs = (median(values[1:]) for values in times.values())  # the first round is for warming up
        print(f"{' x '.join(map(str, shape))}: ours {ours:.4f} s, MONAI {theirs:.4f} s, {theirs / ours:.1f} times")


if __name__ == "__main__":
    main()
