"""The network of MASS: one U-Net per modality, with mostly shared weights, a correspondence head and the atlases."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from mass_nnunet.batch import Layout, Scans
from mass_nnunet.hyperparameters import INFERENCES, INFERENCES_WITHOUT_ATLASES
from mass_nnunet.registration.atlas import EVIDENCE, AtlasBank
from mass_nnunet.registration.fields import downsample, upsample, warp
from mass_nnunet.registration.refinement import refine
from mass_nnunet.registration.translation import best_translation

from .blocks import UNet, UNetDecoder, cpu_autocast, decoder_features, join
from .correspondence import CorrespondenceHead
from .group import GroupNet
from .intensity import adaptation


class GroupOutput(NamedTuple):
    """Output of a training step for a batch of S scans, T of them targets (see :class:`mass_nnunet.batch.Layout`).

    Attributes:
        scans: the batch itself (S, C, Z, Y, X).
        logits: logits of the segmentation heads, from fine to coarse, each (S, K, Z_s, Y_s, X_s).
        fields: displacement fields (A T, 3, Z', Y', X') in voxels of their own grid: T from the same-modality atlases,
            then, unless there is one modality only, T from the other-modality atlases, in the order of the targets.
            None without a correspondence head or if the batch is not registered.
        features: features (T, C, Z', Y', X') of the targets, for the anatomical consistency; None if it is not used.
        warped_features: features (T, C, Z', Y', X') of the other-modality atlases, warped to the targets, or None.
        idle: a zero to add to the loss if the batch is not registered. It gives the correspondence head a gradient of
            zeros, because DDP waits for the gradient of every parameter.
    """

    scans: Tensor
    logits: list[Tensor]
    fields: Tensor | None = None
    features: Tensor | None = None
    warped_features: Tensor | None = None
    idle: Tensor | None = None


class MASSNet(GroupNet):
    """The U-Nets of N modalities, a correspondence head and the atlases, in one module with one state.

    In training mode it takes a batch of the whole group with its layout, and registers atlases to targets within the
    batch. In evaluation mode it segments scans of the ``active`` modalities, in equal numbers.

    Args:
        unets: one nnU-Net U-Net per modality (PlainConvUNet, ResidualEncoderUNet), which share at least their heads.
        atlases: empty atlas bank with the patch shape of the plans; None without a correspondence head.
        correspondence_channels: channels of the correspondence head; 0 for no head and no prediction by atlases.
        correspondence_gradient: factor on the correspondence head's gradient where it enters the U-Nets.
        compares_features: whether a training step returns features for the anatomical consistency.
        modality: index of the modality that this model segments at inference.
        inference: one of :data:`hyperparameters.INFERENCES`; without a correspondence head ``segmentation`` replaces
            the inferences that need atlases.
        refinement_steps: steps of the refinement of fields in evaluation mode (:func:`refinement.refine`).
        intensity_weight: weight of the intensity adaptation (:mod:`intensity`), which uses a scan's first channel.
        intensity_prior: :data:`intensity.PRIOR` in voxels.
    """

    def __init__(
        self,
        unets: Sequence[UNet],
        *,
        atlases: AtlasBank | None,
        correspondence_channels: int,
        correspondence_gradient: float = 1.0,
        compares_features: bool = True,
        modality: int,
        inference: str,
        refinement_steps: int = 0,
        intensity_weight: float = 0.0,
        intensity_prior: float = 1.0,
    ) -> None:
        super().__init__(unets, modality)
        coarse_to_half = [layer.in_channels for layer in self.heads][:-1]
        self.correspondence = (
            CorrespondenceHead(coarse_to_half, correspondence_channels) if correspondence_channels else None
        )
        self.correspondence_gradient = correspondence_gradient
        self.compares_features = compares_features
        self.atlases = atlases
        self.inferences: tuple[str, ...] = INFERENCES_WITHOUT_ATLASES if self.correspondence is None else INFERENCES
        """The inferences that this network can predict by."""
        self.inference = inference if inference in self.inferences else "segmentation"
        self.refinement_steps = refinement_steps
        self.intensity_weight = intensity_weight
        self.intensity_prior = intensity_prior
        self.places_atlases = True
        """Whether the head says where in a patch an atlas lies, and how much it counts there."""
        # Projected features of the atlases, by modality; they are valid until the weights change.
        self._atlas_features: dict[int, list[Tensor]] = {}
        self.register_load_state_dict_post_hook(lambda *_: self._atlas_features.clear())

    @property
    def first_decoder(self) -> UNetDecoder:
        """The decoder of the first modality; all modalities use its heads."""
        return cast(UNet, self.unets[0]).decoder

    @property
    def heads(self) -> Any:
        """The segmentation heads that all modalities share, from coarse to fine."""
        return self.first_decoder.seg_layers

    def train(self, mode: bool = True) -> "MASSNet":
        """As in torch; the cached features of the atlases are dropped."""
        self._atlas_features.clear()
        return super().train(mode)

    def forward(self, scans: Scans | Tensor) -> GroupOutput | Tensor | list[Tensor]:
        """Segment scans; in training mode also register the batch's atlases to its targets.

        Args:
            scans: images with the layout of the batch in training mode; images (S, C, Z, Y, X) in evaluation mode.

        Returns:
            In training mode a :class:`GroupOutput`. In evaluation mode logits (S, K, Z, Y, X), or a list of them from
            fine to coarse with deep supervision.
        """
        if isinstance(scans, Scans):
            return self._train_step(*scans)
        with cpu_autocast(scans.device):
            features = self.decode(scans)
            if self.first_decoder.deep_supervision:
                return self._segment(features)
            logits = self.heads[-1](features[-1]).float()
            return logits if self.inference == "segmentation" else self._adapted(scans, features, logits)

    def _train_step(self, images: Tensor, layout: Layout, start: Tensor | None) -> GroupOutput:
        """The forward pass of a training batch (S, C, Z, Y, X)."""
        with cpu_autocast(images.device):
            features = self.decode(images)
            return GroupOutput(images, self._segment(features), **self._register(features, layout, start))

    def decode(self, scans: Tensor) -> list[Tensor]:
        """Features of the decoders, from coarse to fine; each scan goes through its modality's U-Net."""
        shares = self._shares(scans)
        skips = [unet.encoder(share) for unet, share in shares]
        decoders = [unet.decoder for unet, _ in shares]
        if all(decoder.stages is decoders[0].stages for decoder in decoders):
            return decoder_features(decoders[0], join(skips))  # one pass, of all scans
        return join([decoder_features(*pair) for pair in zip(decoders, skips, strict=True)])

    def _segment(self, features: list[Tensor]) -> list[Tensor]:
        """Logits of all heads, from fine to coarse."""
        return [head(f).float() for head, f in zip(self.heads, features, strict=True)][::-1]

    def _register(self, features: list[Tensor], layout: Layout, start: Tensor | None) -> dict[str, Tensor]:
        """The entries of a GroupOutput beside the logits: fields from both atlases to each target, and features."""
        if self.correspondence is None:
            return {}
        if not layout.registered:
            zeros = [0 * parameter.sum() for parameter in self.correspondence.parameters()]
            return {"idle": torch.stack(zeros).sum()}
        share = self.correspondence_gradient
        # The values of the features, with a scaled gradient.
        shared = [torch.lerp(f.detach(), f, share) if share else f.detach() for f in features[:-1]]
        projected = self.correspondence.project(shared)
        targets = [layout.targets(f) for f in projected]
        atlases = [layout.atlases(f) for f in projected]
        if start is None:
            start = features[0].new_zeros(len(atlases[0]), 3, dtype=torch.float32)
        fields = self.correspondence(atlases, targets, start)  # (A T, 3, Z', Y', X')
        if not self.compares_features or layout.kinds == 1:
            return {"fields": fields}
        warped = warp(layout.other_atlases(projected[-1]), fields.chunk(2)[1])
        return {"fields": fields, "features": targets[-1], "warped_features": warped}

    def _adapted(self, scans: Tensor, features: list[Tensor], logits: Tensor) -> Tensor:
        """Logits of ``adapted``, ``atlas`` or ``fused``: head, atlases or their sum, plus intensity adaptation."""
        if self.inference != "adapted":
            evidence = self._propagate(scans, features, logits)
            logits = logits + evidence if self.inference == "fused" else evidence
        if self.intensity_weight:
            evidence = adaptation(logits, scans, self.intensity_weight, self.intensity_prior)
            if self.inference == "atlas":
                # Where no atlas has a label there is nothing to adapt.
                evidence = evidence * logits.amax(1, keepdim=True).gt(0)
            logits = logits + evidence
        return logits

    def _propagate(self, scans: Tensor, features: list[Tensor], logits: Tensor) -> Tensor:
        """Evidence (S, K, Z, Y, X) of the labels that the modality's atlases propagate.

        It is weighted by how much of the organs that an atlas would lay into the patch the head finds there, at most 1:
        an atlas says where organs are, the head whether this patch of a scan has any.
        """
        assert self.atlases is not None
        projected = self._project(features)
        propagated = []
        for i, scan in enumerate(scans):
            found = logits[i : i + 1].softmax(1)
            mass = found[:, 1:].sum()
            if self.places_atlases and mass < 1:
                propagated.append(torch.zeros_like(found[0]))
                continue
            fields = self._fields([f[i : i + 1] for f in projected], scan[None], found)
            labels = self.atlases.fuse(self.active[0], scan, fields)
            if self.places_atlases:
                labels = labels * (mass / labels[1:].sum().clamp_min(1)).clamp(max=1)
            propagated.append(EVIDENCE * labels)
        return torch.stack(propagated)

    def _project(self, features: list[Tensor]) -> list[Tensor]:
        """The correspondence head's projections of the decoders' features, from coarse to half resolution."""
        assert self.correspondence is not None
        return self.correspondence.project(features[:-1])

    def register(self, scan: Tensor) -> Tensor:
        """Fields (A', 3, Z, Y, X), in voxels, from each atlas of the active modality to a scan (1, C, Z, Y, X)."""
        with cpu_autocast(scan.device):
            features = self.decode(scan)
            found = self.heads[-1](features[-1]).float().softmax(1)
            return self._fields(self._project(features), scan, found)

    def _fields(self, target: list[Tensor], scan: Tensor, found: Tensor) -> Tensor:
        """Fields from all atlases to one scan (1, C, Z, Y, X), on its grid; features of the atlases are cached.

        Args:
            target: projected features of the scan.
            scan: the scan.
            found: class probabilities of the head (1, K, Z, Y, X), which place the atlases.
        """
        assert self.atlases is not None
        assert self.correspondence is not None
        modality, coarsest = self.active[0], target[0].shape[2:]
        if modality not in self._atlas_features:
            self._atlas_features[modality] = self._project(self.decode(self.atlases.images_of(modality)))
        start = found.new_zeros(len(self._atlas_features[modality][0]), 3)
        if self.places_atlases:
            labels = downsample(self.atlases.labels_of(modality), coarsest)
            start = -best_translation(labels, downsample(found, coarsest))
        fields = self.correspondence(self._atlas_features[modality], target, start)
        if self.refinement_steps:
            fields = refine(fields, self.atlases.images_of(modality), scan, self.refinement_steps)
        return upsample(fields, scan.shape[2:])
