"""Location-scale augmentation of SLAug: random intensity curves, one for the whole scan or one for each class."""

import torch
from torch import Tensor

from .augmentation import SHARE

LOCAL = 0.5
"""Share of the changed scans in which each class has a curve of its own."""
AIR = 0.01
"""What is darker, as a share of the scan's range, keeps its intensity where each class has a curve."""
SCALE, SCALE_RANGE = 0.1, (0.9, 1.1)
"""Standard deviation of the scale around 1, and its limits."""
LOCATION = 0.5
"""Standard deviation of the location, as a share of the scan's range."""
KNOTS = 256
"""Points of a curve; between them it is linear."""


def location_scale_augmentation(scans: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Change a share :data:`augmentation.SHARE` of the scans by random curves, a location and a scale.

    A share :data:`LOCAL` of these gets a curve for each class (local): that of the background decreases, and that of an
    organ does with probability 1/2. The others get one increasing curve (global). A curve is a cubic Bezier curve from
    one end of the intensities to the other (:func:`bezier_curves`). Its value is then multiplied by a scale, a location
    is added, and the sum is limited to the scan's range. A local change leaves dark voxels (:data:`AIR`) as they are.

    This is the location-scale augmentation of SLAug (Su et al., Rethinking data augmentation for single-source domain
    generalization in medical image segmentation, AAAI 2023), without its saliency-balancing fusion of both. Different
    here: a share of the scans stays as it is, as with random organ contrast; a location keeps the mean intensity of
    what it shifts within the range of the scan, where the authors use percentiles.

    Args:
        scans: (B, C, Z, Y, X); each channel has curves of its own.
        labels: (B, 1, Z, Y, X); a voxel of unknown class, K and above, counts as background.
        classes: K, with background.

    Returns:
        Scans (B, C, Z, Y, X).
    """
    count, channels = scans.shape[:2]
    least, greatest = scans.amin((2, 3, 4), keepdim=True), scans.amax((2, 3, 4), keepdim=True)
    width = (greatest - least).clamp_min(1e-6)
    images = (scans - least) / width  # from 0 to 1
    chance, local = torch.rand(2, count, 1, 1, 1, 1, device=scans.device)
    is_local = local < LOCAL
    region = (labels * (labels < classes) * is_local).long()
    first = classes * torch.arange(count * channels, device=scans.device).view(count, channels, 1, 1, 1)
    decreasing = torch.rand(count, channels, classes, device=scans.device) < 0.5
    decreasing[..., 0].fill_(True)
    decreasing &= is_local.view(count, 1, 1)
    changed = curved(images, first + region, decreasing.numel(), decreasing.flatten())
    changed = torch.where(is_local & (images <= AIR), images, changed)
    return torch.where(chance < SHARE, changed * width + least, scans)


def curved(images: Tensor, index: Tensor, regions: int, decreasing: Tensor) -> Tensor:
    """Intensities from 0 to 1 after a random curve, scale and location of each region.

    Args:
        images: any shape.
        index: of the same shape, the region of each voxel, from 0.
        regions: R, how many there are.
        decreasing: boolean (R,): whether a region's curve decreases.
    """
    values, where = images.flatten(), index.flatten()
    empty = values.new_zeros(regions)
    least = empty.scatter_reduce(0, where, values, "amin", include_self=False)
    greatest = empty.scatter_reduce(0, where, values, "amax", include_self=False)
    curves = bezier_curves(torch.rand(regions, 2, 2, device=values.device))  # (R, KNOTS)
    curves = torch.where(decreasing[:, None], curves.flip(1), curves)

    width = (greatest - least).clamp_min(1e-6)
    place = ((values - least[where]) / width[where]).clamp(0, 1) * (KNOTS - 1)
    below = place.floor().clamp(max=KNOTS - 2)
    knot = where * KNOTS + below.long()
    flat = curves.flatten()
    level = torch.lerp(flat[knot], flat[knot + 1], place - below) * width[where] + least[where]

    scale = (1 + SCALE * torch.randn(regions, device=values.device)).clamp(*SCALE_RANGE)
    mean = scale * empty.scatter_reduce(0, where, level, "mean", include_self=False)
    location = (LOCATION * torch.randn(regions, device=values.device)).maximum(-mean).minimum(1 - mean)
    return (level * scale[where] + location[where]).clamp(0, 1).view_as(images)


def bezier_curves(points: Tensor) -> Tensor:
    """Increasing cubic Bezier curves from (0, 0) to (1, 1), at :data:`KNOTS` equally spaced abscissae.

    Args:
        points: the two inner control points of each of R curves, (R, 2, 2): abscissa and ordinate, from 0 to 1.

    Returns:
        Ordinates (R, KNOTS), from 0 to 1.
    """
    t = torch.linspace(0, 1, KNOTS, device=points.device)
    basis = torch.stack([3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t)])  # of the inner points, (2, KNOTS)
    x, y = (points.transpose(1, 2) @ basis + t**3).unbind(1)  # (R, KNOTS) each; both increase with t
    wanted = t.expand(len(points), -1).contiguous()
    right = torch.searchsorted(x.contiguous(), wanted).clamp(1, KNOTS - 1)
    (x0, x1), (y0, y1) = ((each.gather(1, right - 1), each.gather(1, right)) for each in (x, y))
    return torch.lerp(y0, y1, ((wanted - x0) / (x1 - x0).clamp_min(1e-6)).clamp(0, 1))
