"""Refinement of a network's displacement fields for one pair of scans, by instance-specific optimization."""

import torch
from torch import Tensor

from mass_nnunet.losses.deformation import diffusion_loss, folding_penalty
from mass_nnunet.losses.similarity import local_correlation
from mass_nnunet.runtime.threads import threads_for

from .fields import inside, jacobian_determinant, upsample, warp

RATE = 0.1
"""Adam's learning rate, which is about the largest change of the field in a step, in voxels of its grid."""
SMOOTHNESS = 1.0
FOLDING = 20.0


@torch.compiler.disable
def refine(fields: Tensor, atlases: Tensor, scan: Tensor, steps: int) -> Tensor:
    """Improve fields by gradient descent on the registration loss of these scans, at the scans' resolution.

    This is VoxelMorph's instance-specific optimization (Balakrishnan et al., IEEE TMI 2019).

    The loss is 1 - the mean local correlation of the warped atlases with the scan, as far as the given fields lay them
    on it, plus :data:`SMOOTHNESS` times the diffusion of the fields, plus :data:`FOLDING` times their folding penalty.
    It uses no label and changes no weight of the network. The returned fields carry no gradient.

    Args:
        fields: (A, 3, Z', Y', X'), in voxels of their own grid, which may be coarser than the scans'.
        atlases: (A, C, Z, Y, X); the first channel is used.
        scan: (1, C, Z, Y, X), of the atlases' modality.
        steps: number of steps of Adam.

    Returns:
        Fields (A, 3, Z', Y', X'), float32.
    """
    # Prediction runs in inference mode, where tensors cannot have gradients; their copies made here can.
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(scan.device.type, enabled=False),
        threads_for(scan[0, 0].numel()),
    ):
        moving, fixed = atlases[:, :1].float().clone(), scan[:, :1].float().clone()
        fields = fields.detach().float().clone().requires_grad_()
        shown = inside(upsample(fields.detach(), fixed.shape[2:])).float()  # by the atlases, as they lie at first
        optimizer = torch.optim.Adam([fields], RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            correlation = local_correlation(warp(moving, upsample(fields, fixed.shape[2:])), fixed)
            loss = 1 - (correlation * shown).sum() / shown.sum().clamp_min(1)
            loss = loss + SMOOTHNESS * diffusion_loss(fields) + FOLDING * folding_penalty(jacobian_determinant(fields))
            # The sum over voxels, not the mean: the effect of Adam's epsilon must not depend on the size of a patch.
            (loss * fields[:, 0].numel()).backward()
            optimizer.step()
        return fields.detach()
