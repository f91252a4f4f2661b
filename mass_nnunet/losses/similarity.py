"""Similarity of the two images of a registered pair, as pure functions: local correlation, differences, NMI, MIND.

Local correlation and squared differences compare images of one modality. Mutual information and self-similarity also
compare images of different modalities. The losses are minimized, and return a scalar.
"""

from collections.abc import Callable
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5
FACES = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
"""The six voxels around a voxel, (z, y, x)."""
CONTEXT = tuple((i, j) for i, j in combinations(range(6), 2) if i // 2 != j // 2)
"""The twelve pairs of them that share an edge: all but the opposite ones."""


def box_mean(volume: Tensor, window: int) -> Tensor:
    """Mean over a cubic window around each voxel, (B, C, Z, Y, X) -> the same shape.

    Args:
        volume: (B, C, Z, Y, X).
        window: side in voxels, odd; it is cut off at the border.
    """
    # One axis after the other, each as a product with a banded matrix: on a CPU several times as fast as pooling.
    with torch.autocast(volume.device.type, enabled=False):
        means = [_window_mean(size, window, volume.device) for size in volume.shape[2:]]
        in_plane = means[1] @ volume.float() @ means[2].T
        return (means[0] @ in_plane.flatten(3)).view_as(volume)


def _window_mean(size: int, window: int, device: torch.device) -> Tensor:
    """Matrix (size, size) of the mean over a window around each voxel of an axis."""
    index = torch.arange(size, device=device)
    inside = ((index[:, None] - index).abs() <= window // 2).float()
    return inside / inside.sum(1, keepdim=True)


def local_correlation(image: Tensor, reference: Tensor, window: int = 9) -> Tensor:
    """Squared normalized cross correlation in a cubic window around each voxel (Avants et al. 2008; VoxelMorph, eq. 6).

    It does not change with the brightness or the contrast of either image. MONAI's
    LocalNormalizedCrossCorrelationLoss, which the tests compare with, convolves with a cube of ones: on a CPU it takes
    about 9 times as long at 16 x 48 x 48 voxels and 18 times as long at 32 x 96 x 96 (experiments/lncc.py).

    Args:
        image: (B, 1, Z, Y, X).
        reference: same shape, or one reference (1, 1, Z, Y, X) for all images.
        window: as in :func:`box_mean`.

    Returns:
        (B, 1, Z, Y, X), from 0 to 1.
    """
    a, b = image.float(), reference.float()
    mean_a, mean_b = box_mean(a, window), box_mean(b, window)
    variance_a = (box_mean(a * a, window) - mean_a * mean_a).clamp_min(0)
    variance_b = (box_mean(b * b, window) - mean_b * mean_b).clamp_min(0)
    covariance = box_mean(a * b, window) - mean_a * mean_b
    return covariance * covariance / (variance_a * variance_b + EPSILON)


def local_correlation_loss(image: Tensor, reference: Tensor, window: int = 9) -> Tensor:
    """1 - the mean :func:`local_correlation`."""
    return 1 - local_correlation(image, reference, window).mean()


def squared_difference_loss(image: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of two images (B, 1, Z, Y, X), for scans with comparable intensities."""
    return F.mse_loss(image.float(), reference.float())


def mutual_information_loss(image: Tensor, reference: Tensor, bins: int = 32, width: float = 0.5) -> Tensor:
    """2 - normalized mutual information (Studholme et al. 1999), (H(a) + H(b)) / H(a, b), the mean over the batch.

    NMI is 1 for independent images and 2 for images that determine each other, so the loss is from 0 to 1. The joint
    histogram is differentiable: a Gaussian Parzen window distributes each voxel over the bins. With a wide window the
    loss of an image and itself is above 0.

    Args:
        image: (B, 1, Z, Y, X).
        reference: same shape.
        bins: number of bins of each image, with centres equally spaced from its least to its greatest intensity.
        width: standard deviation of the Parzen window, in bins.
    """
    a, b = (_bin_shares(x, bins, width) for x in (image, reference))
    with torch.autocast(a.device.type, enabled=False):  # half precision overflows beyond 65504 voxels in a bin
        joint = a @ b.transpose(1, 2) / a.shape[2]  # (B, bins, bins)
    nmi = (_entropy(joint.sum(2)) + _entropy(joint.sum(1))) / _entropy(joint.flatten(1)).clamp_min(EPSILON)
    return 2 - nmi.mean()


def self_similarity(image: Tensor, window: int = 3, distance: int = 1) -> Tensor:
    """MIND-SSC, the self-similarity context of each voxel (Heinrich et al., MICCAI 2013, eqs. 1 to 3).

    A voxel has twelve entries exp(-D / V), one for each of twelve pairs of its neighbours. D is the mean squared
    difference between the patches around the two neighbours, and V is the mean D of the twelve pairs. The least D is
    subtracted first, so that the greatest entry is 1. The entries do not change with brightness or contrast, nor if
    bright and dark are exchanged.

    Args:
        image: (B, 1, Z, Y, X).
        window: side of a patch in voxels, odd.
        distance: distance of the neighbours from the voxel, in voxels.

    Returns:
        (B, 12, Z, Y, X), from 0 to 1.
    """
    image = image.float()
    padded = F.pad(image, [distance] * 6, mode="replicate")
    neighbours = []
    for face in FACES:
        starts = [distance * (1 + step) for step in face]
        z, y, x = (slice(start, start + size) for start, size in zip(starts, image.shape[2:], strict=True))
        neighbours.append(padded[:, :, z, y, x])
    differences = torch.cat([(neighbours[i] - neighbours[j]).square() for i, j in CONTEXT], dim=1)
    differences = box_mean(differences, window)  # (B, 12, Z, Y, X)
    variance = differences.mean(1, keepdim=True)
    # In a flat region V is close to 0 and noise would dominate: V is clamped around its mean, as by the authors.
    typical = variance.mean((2, 3, 4), keepdim=True)
    variance = variance.maximum(1e-3 * typical).minimum(1e3 * typical).clamp_min(1e-12)
    return (-(differences - differences.amin(1, keepdim=True)) / variance).exp()


def self_similarity_loss(image: Tensor, reference: Tensor) -> Tensor:
    """Mean squared difference of the :func:`self_similarity` of two images (B, 1, Z, Y, X) of any modalities."""
    return F.mse_loss(self_similarity(image), self_similarity(reference))


SIMILARITIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "lncc": local_correlation_loss,
    "mse": squared_difference_loss,
    "nmi": mutual_information_loss,
    "mind": self_similarity_loss,
}
"""Losses of (warped atlas, target), by the name in the hyperparameters."""


def _bin_shares(image: Tensor, bins: int, width: float) -> Tensor:
    """(B, 1, Z, Y, X) -> (B, bins, V): share of each voxel in each bin; the sum over bins is 1."""
    flat = image.float().flatten(1)  # (B, V)
    least, greatest = (limit[:, None].detach() for limit in (flat.amin(1), flat.amax(1)))
    position = (flat - least) / (greatest - least).clamp_min(EPSILON) * (bins - 1)
    centres = torch.arange(bins, device=flat.device, dtype=torch.float32)[:, None]
    return (-0.5 * ((position[:, None] - centres) / width).square()).softmax(1)


def _entropy(distribution: Tensor) -> Tensor:
    """Entropy of each distribution (B, K), in nats: (B,)."""
    return -(distribution * distribution.clamp_min(1e-12).log()).sum(1)
