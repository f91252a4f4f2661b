"""The correspondence head: a displacement field between two scans, coarse to fine over the shared decoder's scales."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mass_nnunet.registration.fields import upsample, warp

# Training starts at fields of a fraction of a voxel, and gradients reach every layer from the first step.
INITIAL_STANDARD_DEVIATION = 2e-2
# Largest residual of a scale, in voxels of that scale: early steps cannot move fields out of the image.
REACH = 3.0


class ResidualField(nn.Module):
    """The residual that one scale adds to the field, from [warped atlas features, target features].

    The field itself is no input: its effect is in the warped features, and 2C channels, a multiple of 16, are far
    cheaper than 2C + 3.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first = nn.Conv3d(2 * channels, channels, 3, padding=1)
        self.layers = nn.Sequential(
            first,
            nn.InstanceNorm3d(channels, affine=True),
            nn.LeakyReLU(inplace=True),
            nn.Conv3d(channels, channels, 3, padding=1),
            nn.LeakyReLU(inplace=True),
        )
        self.field = nn.Conv3d(channels, 3, 3, padding=1)
        nn.init.normal_(self.field.weight, std=INITIAL_STANDARD_DEVIATION)
        assert self.field.bias is not None
        nn.init.zeros_(self.field.bias)

    def forward(self, atlas: Tensor, target: Tensor) -> Tensor:
        """The residual (B, 3, Z, Y, X), float32, of atlas features (B, C, Z, Y, X) and target features (T, C, Z, Y, X).

        T divides B; the targets are repeated.
        """
        first = self.layers[0]
        assert isinstance(first, nn.Conv3d)
        of_atlas, of_target = first.weight.chunk(2, dim=1)
        # The convolution of the concatenated pair is a sum of two: a target is convolved once for all its atlases.
        convolved = F.conv3d(target, of_target, padding=first.padding).repeat(len(atlas) // len(target), 1, 1, 1, 1)
        pairs = F.conv3d(atlas, of_atlas, first.bias, padding=first.padding) + convolved
        field = self.field(self.layers[1:](pairs)).float()
        return REACH * torch.tanh(field / REACH)


class CorrespondenceHead(nn.Module):
    """Fields between scans of any two modalities, from the features of the shared decoder.

    At the coarsest scale the field starts from a translation. At each scale it is brought to the scale's grid, the
    atlas's features are warped with it, and a residual is added. The finest scale given is the field's resolution.

    Args:
        in_channels: channels of the features, from coarse to fine.
        channels: channels of the projected features that are compared, the same at every scale.
    """

    def __init__(self, in_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv3d(c, channels, 1) for c in in_channels)
        self.residuals = nn.ModuleList(ResidualField(channels) for _ in in_channels)

    def project(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features of scans, from coarse to fine, each (B, C_s, Z_s, Y_s, X_s), projected to a common width."""
        return [projection(f) for projection, f in zip(self.projections, features, strict=True)]

    def forward(self, atlas: Sequence[Tensor], target: Sequence[Tensor], start: Tensor) -> Tensor:
        """The field (B, 3, Z, Y, X) at the finest scale that pulls each atlas to its target, in voxels of that scale.

        Args:
            atlas: projected features from coarse to fine, each (B, C, Z_s, Y_s, X_s).
            target: the same of T targets, where T divides B. The first T atlases belong to these targets in order, so
                do the next T, and so on.
            start: the displacement (B, 3) that the field starts from, in voxels of the coarsest scale.
        """
        field = start.view(-1, 3, 1, 1, 1).expand(-1, -1, *target[0].shape[2:])
        for a, t, residual in zip(atlas, target, self.residuals, strict=True):
            field = upsample(field, t.shape[2:])
            field = field + residual(warp(a, field).to(t.dtype), t)
        return field
