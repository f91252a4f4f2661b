"""Instance optimization: displacement fields of a network, improved for the scans that they register."""

import torch
from torch import Tensor

from mass_nnunet.losses.deformation import diffusion_loss, folding_penalty
from mass_nnunet.losses.similarity import local_correlation_loss

from .fields import jacobian_determinant, upsample, warp

RATE = 0.1
"""Adam's learning rate: about what a step moves a voxel by, in voxels of the field's grid."""
SMOOTHNESS = 1.0
FOLDING = 20.0


@torch.compiler.disable
def refine(fields: Tensor, atlases: Tensor, scan: Tensor, steps: int) -> Tensor:
    """Improve fields by gradient descent on the registration loss of these very scans, at their resolution.

    It is VoxelMorph's instance-specific optimization (Balakrishnan et al., IEEE TMI 2019).

    The minimized sum is 1 - the mean local correlation of the warped atlases with the scan, :data:`SMOOTHNESS` times
    the diffusion of the fields, and :data:`FOLDING` times their folding penalty. It uses no label and changes no weight
    of the network, and no gradient leaves it.

    Args:
        fields: (A, 3, Z', Y', X'), in voxels of their own grid, which may be coarser than the scans'.
        atlases: (A, C, Z, Y, X), of which the first channel counts.
        scan: (1, C, Z, Y, X), of the atlases' modality.
        steps: of Adam.

    Returns:
        Fields (A, 3, Z', Y', X'), float32.
    """
    # Prediction runs in inference mode, whose tensors know no gradient; copies of them do.
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(scan.device.type, enabled=False):
        moving, fixed = atlases[:, :1].float().clone(), scan[:, :1].float().clone()
        fields = fields.detach().float().clone().requires_grad_()
        optimizer = torch.optim.Adam([fields], RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = local_correlation_loss(warp(moving, upsample(fields, fixed.shape[2:])), fixed)
            loss = loss + SMOOTHNESS * diffusion_loss(fields) + FOLDING * folding_penalty(jacobian_determinant(fields))
            # Summed up, not averaged: what Adam's epsilon does must not depend on the size of a patch.
            (loss * fields[:, 0].numel()).backward()
            optimizer.step()
        return fields.detach()
