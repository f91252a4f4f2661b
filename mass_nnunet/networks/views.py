"""A U-Net that sees unlabelled scans as they are, with other intensities, and with features missing."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mass_nnunet.batch import Scans

from .blocks import cpu_autocast, in_full
from .stock import OneUNet

DROPPED = 0.5
"""Share of the channels of each of the encoder's feature maps that the decoder does not get in the perturbed view."""


class ViewsOutput(NamedTuple):
    """Output of a training step with L annotated scans and U unlabelled ones, in float32.

    Attributes:
        annotated: logits from fine to coarse, each (L, K, Z_s, Y_s, X_s).
        weak: logits (U, K, Z, Y, X) of the unlabelled scans as they are, without gradient.
        strong: logits (V U, K, Z, Y, X) of their V other views.
        perturbed: logits (U, K, Z, Y, X) of the unlabelled scans as they are, from features of which channels are
            missing.
    """

    annotated: list[Tensor]
    weak: Tensor
    strong: Tensor
    perturbed: Tensor


class ViewsNet(OneUNet):
    """nnU-Net's U-Net. In training mode it returns a :class:`ViewsOutput`, in evaluation mode its output."""

    def forward(self, scans: Scans | Tensor) -> ViewsOutput | Tensor | list[Tensor]:
        """Segment scans.

        Args:
            scans: in training mode images (L + U + V U, C, Z, Y, X), the annotated scans, the unlabelled ones, and
                their V other views, with the layout of the first L + U; in evaluation mode images (S, C, Z, Y, X).
        """
        if not isinstance(scans, Scans):
            with cpu_autocast(scans.device):
                return in_full(self.decoder(self.encoder(scans)))
        images, layout, _ = scans
        end = layout.labelled + layout.unlabelled
        with cpu_autocast(images.device):
            skips = self.encoder(images)
            weak = [skip[layout.labelled : end] for skip in skips]
            parts = [
                torch.cat([skip[: layout.labelled], skip[end:], F.dropout3d(its_weak, DROPPED)])
                for skip, its_weak in zip(skips, weak, strict=True)
            ]
            logits = in_full(self.decoder(parts))
            # Last: in some versions of torch, weights that autocast has cast here would teach nothing in a later pass.
            with torch.no_grad():
                expected = self.decoder(weak)[0].float()
        strong, perturbed = logits[0][layout.labelled :].split([len(images) - end, layout.unlabelled])
        return ViewsOutput([scale[: layout.labelled] for scale in logits], expected, strong, perturbed)
