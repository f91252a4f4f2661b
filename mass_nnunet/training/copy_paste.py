"""Copy-paste of boxes between scans, and the clean-up of the pseudo-labels that go with them.

Nothing here reads a value on a GPU, which would make the processor wait for it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SIDE = 2 / 3
"""Side of a box along each axis, as a share of the patch."""


def random_boxes(count: int, shape: Sequence[int], device: torch.device) -> Tensor:
    """Boolean (count, 1, Z, Y, X): a box at a random place in each patch of this shape (Z, Y, X)."""
    sides = [max(1, round(SIDE * size)) for size in shape]
    rooms = [size - side + 1 for size, side in zip(shape, sides, strict=True)]
    starts = torch.stack([torch.randint(room, (), device=device) for _ in range(count) for room in rooms])
    boxes = torch.ones((count, *[1] * len(shape)), dtype=torch.bool, device=device)
    for axis, (size, side) in enumerate(zip(shape, sides, strict=True)):
        place = torch.arange(size, device=device) - starts.view(count, -1)[:, axis, None]  # (count, size)
        along = [size if other == axis else 1 for other in range(len(shape))]
        boxes = boxes & ((place >= 0) & (place < side)).view(count, *along)
    return boxes[:, None]


def cut_mix(views: Tensor, boxes: Tensor) -> Tensor:
    """CutMix (Yun et al., ICCV 2019) within each view: in a box, a scan shows the scan before it.

    Args:
        views: images, or their labels or probabilities, of V views of U scans, (V, U, C, Z, Y, X).
        boxes: boolean (V, U, 1, Z, Y, X), true in the box.
    """
    return torch.where(boxes, views.roll(1, 1), views)


def largest_components(labels: Tensor, classes: int) -> Tensor:
    """Labels (B, 1, Z, Y, X) in which each foreground class is its largest connected component; the rest is background.

    Voxels are connected by their faces. Of equally large components the one with the first voxel is kept.

    Args:
        labels: integers.
        classes: K, with background.
    """
    components = connected_components(labels)
    voxels, flat = components.numel(), components.flatten()
    sizes = torch.zeros_like(flat).scatter_add_(0, flat, torch.ones_like(flat))[flat].view_as(components)
    rank = sizes * voxels - components  # above 0: by size, then by the first voxel
    kept = torch.zeros_like(labels)
    for k in range(1, classes):
        own = torch.where(labels == k, rank, 0)
        best = own.amax((1, 2, 3, 4), keepdim=True)
        kept = torch.where((own == best) & (labels == k), labels, kept)
    return kept


def connected_components(labels: Tensor) -> Tensor:
    """The component of each voxel of labels (B, 1, Z, Y, X): the index of its first voxel in the flattened labels.

    Each voxel points to itself or to an earlier voxel of its component. In each round a voxel, and the voxel it points
    to, take the earliest voxel that its neighbours point to, as in FastSV (Zhang et al., SIAM Conference on Parallel
    Processing 2020). Organs converge in about 5 rounds, mazes in half of the rounds allowed here. On a GPU all rounds
    run, as asking whether anything changed would make the processor wait.

    Args:
        labels: integers; each voxel of the background, 0, is a component of its own.
    """
    pointers = torch.arange(labels.numel(), device=labels.device)
    pairs = []  # along each axis: the axis, and boolean, which voxels are connected to the next one
    for axis in (2, 3, 4):
        first, second = _neighbours(labels, axis)
        pairs.append((axis, (first == second) & (first > 0)))
    for _ in range(2 * labels.numel().bit_length()):
        earliest = pointers[pointers].view_as(labels)
        for axis, connected in pairs:
            first, second = _neighbours(earliest, axis)
            earlier = torch.minimum(first, second)
            first.copy_(torch.where(connected, earlier, first))
            second.copy_(torch.where(connected, torch.minimum(earlier, second), second))
        flat = earliest.flatten()
        before, pointers = pointers, pointers.scatter_reduce(0, pointers, flat, "amin").minimum(flat)
        if labels.device.type == "cpu" and torch.equal(before, pointers):
            break
    return pointers.view_as(labels)


def _neighbours(volume: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Views of all voxels that have a next one along an axis, and of these next ones."""
    size = volume.shape[axis] - 1
    return volume.narrow(axis, 0, size), volume.narrow(axis, 1, size)
