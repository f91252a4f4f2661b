"""The network of the registration methods: a U-Net for pairs of scans of one modality, and the atlases."""

import sys
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mass_nnunet.batch import Layout, Scans
from mass_nnunet.registration.atlas import EVIDENCE, AtlasBank
from mass_nnunet.registration.fields import warp
from mass_nnunet.registration.refinement import refine
from mass_nnunet.registration.translation import best_image_translation

from .blocks import UNet, UNetDecoder, cpu_autocast, decoder_features

# VoxelMorph's own: training starts from the identity.
INITIAL_STANDARD_DEVIATION = 1e-5


class PairOutput(NamedTuple):
    """Output of a training step for a batch of S scans, T of them targets (see :class:`mass_nnunet.batch.Layout`).

    Attributes:
        scans: the batch itself (S, C, Z, Y, X).
        fields: displacement fields (T, 3, Z, Y, X), in voxels, from each target's atlas to the target.
        warped: atlases (T, C, Z, Y, X), warped to the targets.
        backward: fields (T, 3, Z, Y, X), in voxels, from each warped atlas to the atlas; None without such a network.
    """

    scans: Tensor
    fields: Tensor
    warped: Tensor
    backward: Tensor | None = None


class PairUNet(nn.Module):
    """VoxelMorph's network (Balakrishnan et al., IEEE TMI 2019): a field from two scans as channels of one image.

    Args:
        unet: nnU-Net's U-Net for 2C channels; a convolution that returns the field replaces its segmentation heads.
    """

    encoder: nn.Module
    decoder: UNetDecoder

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.encoder, self.decoder = unet.encoder, unet.decoder
        field = nn.Conv3d(self.decoder.seg_layers[-1].in_channels, 3, 3, padding=1)
        nn.init.normal_(field.weight, std=INITIAL_STANDARD_DEVIATION)
        assert field.bias is not None
        nn.init.zeros_(field.bias)
        self.decoder.seg_layers = nn.ModuleList([field])

    def forward(self, atlas: Tensor, target: Tensor) -> Tensor:
        """The field (B, 3, Z, Y, X), float32, in voxels, from atlas (B, C, Z, Y, X) to target (B, C, Z, Y, X)."""
        features = decoder_features(self.decoder, self.encoder(torch.cat([atlas, target], dim=1)))[-1]
        # Displacements need more than the eight bits of precision that bfloat16 has.
        with torch.autocast(features.device.type, enabled=False):
            return self.decoder.seg_layers[-1](features.float())


class PairNet(nn.Module):
    """A network that registers atlases to scans of one modality, and segments by the propagated labels.

    In training mode it takes a batch with its layout, and registers the batch's atlases to its targets. In evaluation
    mode it segments. Each field starts from the translation that lays the atlas's image on that of the target.

    Args:
        unet: nnU-Net's U-Net for 2C channels.
        atlases: empty atlas bank with the patch shape of the plans.
        backward: another such U-Net, for fields from the warped atlas to the atlas; None for none.
        refinement_steps: steps of the refinement of fields in evaluation mode (:func:`refinement.refine`).
    """

    _version = 2
    """Version of the state, which PyTorch saves with it; in version 1 fields started from zero.

    Predictions know a model of version 1 by it, as weights come to them alone. A training has ``REVISION`` of its
    trainer instead, the number of the objective (:class:`GuardedTrainer`): a change of predictions raises both.
    """

    # The index of its only modality in the bank, and its only inference.
    active = (0,)
    inferences = ("atlas",)

    def __init__(
        self, unet: UNet, *, atlases: AtlasBank, backward: UNet | None = None, refinement_steps: int = 0
    ) -> None:
        super().__init__()
        self.refinement_steps = refinement_steps
        self.pair = PairUNet(unet)
        self.backward_pair = None if backward is None else PairUNet(backward)
        self.atlases = atlases

    def forward(self, scans: Scans | Tensor) -> PairOutput | Tensor | list[Tensor]:
        """Register within a batch in training mode, segment scans in evaluation mode.

        Args:
            scans: images with the layout of the batch, and where its fields start, in training mode; images
                (S, C, Z, Y, X) in evaluation mode.

        Returns:
            In training mode a :class:`PairOutput`. In evaluation mode logits (S, K, Z, Y, X), in a list if deep
            supervision is on.
        """
        if isinstance(scans, Scans):
            return self._register_batch(*scans)
        propagated = torch.stack([self.atlases.fuse(0, scan, self.register(scan[None])) for scan in scans])
        logits = EVIDENCE * propagated
        return [logits] if self.pair.decoder.deep_supervision else logits

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
    ) -> None:
        if local_metadata.get("version", self._version) < self._version:
            _tell_of_earlier_version()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)

    def _register_batch(self, scans: Tensor, layout: Layout, start: Tensor | None) -> PairOutput:
        atlases, targets = layout.same_atlases(scans), layout.targets(scans)
        if start is None:
            start = scans.new_zeros(len(targets), 3)
        with cpu_autocast(scans.device):
            fields = _registered(self.pair, atlases, targets, start)
            warped = warp(atlases, fields)
            backward = None
            if self.backward_pair is not None:
                backward = _registered(self.backward_pair, warped, atlases, -start)
        return PairOutput(scans, fields, warped, backward)

    def register(self, scan: Tensor) -> Tensor:
        """Fields (A', 3, Z, Y, X), in voxels, from each atlas to a scan (1, C, Z, Y, X)."""
        images = self.atlases.images_of(0)
        start = -best_image_translation(images, scan)
        with cpu_autocast(scan.device):
            fields = _registered(self.pair, images, scan.expand(len(images), -1, -1, -1, -1), start)
        return refine(fields, images, scan, self.refinement_steps) if self.refinement_steps else fields


@cache
def _tell_of_earlier_version() -> None:
    """Once in a process: nnU-Net loads weights for each case and fold."""
    print(
        "note: this model was trained by an earlier version of mass_nnunet, without the translation from which "
        "registrations start now; its predictions have changed: train it again",
        file=sys.stderr,
    )


def _registered(pair: PairUNet, atlas: Tensor, target: Tensor, start: Tensor) -> Tensor:
    """Fields (B, 3, Z, Y, X): the displacements (B, 3) that they start from, and what a network adds to them."""
    translation = start.view(-1, 3, 1, 1, 1)
    return pair(warp(atlas, translation.expand(-1, -1, *atlas.shape[2:])), target) + translation
