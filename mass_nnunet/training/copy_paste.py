"""Copy-paste of boxes between scans, and the clean-up of the pseudo-labels that go with them."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import label as components_of
from torch import Tensor

SIDE = 2 / 3
"""Side of a box along each axis, as a share of the patch."""


def random_boxes(count: int, shape: Sequence[int], device: torch.device) -> Tensor:
    """Boolean (count, 1, Z, Y, X): a box at a random place in each patch of this shape (Z, Y, X)."""
    boxes = torch.zeros((count, 1, *shape), dtype=torch.bool, device=device)
    for box in boxes:
        sides = [max(1, round(SIDE * size)) for size in shape]
        starts = [int(torch.randint(size - side + 1, ())) for size, side in zip(shape, sides, strict=True)]
        z, y, x = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
        box[:, z, y, x] = True
    return boxes


def largest_components(labels: Tensor, classes: int) -> Tensor:
    """Labels (B, 1, Z, Y, X) in which each foreground class is its largest connected component; the rest is background.

    Voxels are connected by their faces.

    Args:
        labels: integers.
        classes: K, with background.
    """
    scans = labels.cpu().numpy()
    kept = np.zeros_like(scans)
    for scan, its_kept in zip(scans[:, 0], kept[:, 0], strict=True):
        for k in range(1, classes):
            components, found = components_of(scan == k)
            if found:
                sizes = np.bincount(components.ravel())
                its_kept[components == 1 + sizes[1:].argmax()] = k
    return torch.from_numpy(kept).to(labels.device)
