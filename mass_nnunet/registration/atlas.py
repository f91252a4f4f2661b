"""The atlas bank of a model: scans with labels that are propagated to a new scan."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.losses.similarity import local_correlation

from .fields import inside, warp

TEMPERATURE = 0.1
"""Temperature of the softmax over atlases of their local correlation, which is from 0 to 1."""
EVIDENCE = 5.0
"""Logit of a label that all atlases propagate; it outvotes a head that is less than 99 % sure of another label.

Log probabilities would be equivalent on the plans' grid. But nnU-Net interpolates logits to the scan's own grid, where
the logarithm of a probability close to 0 outweighs all of its neighbours.
"""


class AtlasBank(nn.Module):
    """Up to A atlases of each of N modalities, one patch each, as buffers: they are saved with the weights.

    Annotated atlases come first, then templates, which have labels predicted by a model.

    Args:
        modalities: N.
        capacity: A.
        channels: C, the largest number of channels of an image; an image with fewer is followed by zeros.
        classes: K, with background.
        patch: (Z, Y, X).
    """

    outlined: Tensor  # how many of a modality's atlases are annotated; checkpoints have this name
    count: Tensor
    images: Tensor
    labels: Tensor

    def __init__(self, modalities: int, capacity: int, channels: int, classes: int, patch: Sequence[int]) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("outlined", torch.zeros(modalities, dtype=torch.long))
        self.register_buffer("count", torch.zeros(modalities, dtype=torch.long))
        self.register_buffer("images", torch.zeros((modalities, capacity, channels, *patch), dtype=torch.float16))
        self.register_buffer("labels", torch.zeros((modalities, capacity, *patch), dtype=torch.uint8))

    @property
    def capacity(self) -> int:
        """A, the largest number of atlases per modality."""
        return self.images.shape[1]

    @property
    def has_templates(self) -> bool:
        """Whether a modality has templates."""
        return bool((self.count > self.outlined).any())

    def put(self, modality: int, images: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Set the annotated atlases of one modality, and remove its former atlases and templates.

        Args:
            modality: index of the modality.
            images: (C, Z, Y, X) each, of the patch's size, or with fewer channels.
            labels: (Z, Y, X) each.

        Raises:
            ValueError: there is no atlas, there are more than the capacity, or one does not have the patch's size or
                has too many channels.
        """
        if not images:
            raise ValueError("a modality needs an annotated atlas")
        self._set(modality, 0, images, labels)
        self.outlined[modality] = len(images)

    def clear(self, modality: int) -> None:
        """Remove all atlases and templates of one modality."""
        self.outlined[modality] = self.count[modality] = 0

    def put_templates(self, modality: int, images: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Set the templates of one modality, after its annotated atlases; arguments and errors as in :meth:`put`."""
        self._set(modality, int(self.outlined[modality]), images, labels)

    def _set(self, modality: int, start: int, images: Sequence[Tensor], labels: Sequence[Tensor]) -> None:
        """Fill the places from ``start`` on; those after them are empty."""
        end = start + len(images)
        if end > self.capacity:
            raise ValueError(f"{end} atlases do not fit into a bank of {self.capacity}")
        for place, image, label in zip(range(start, end), images, labels, strict=True):
            channels = len(image)
            fits = image.shape[1:] == label.shape == self.labels.shape[2:] and channels <= self.images.shape[2]
            if not fits:
                raise ValueError(
                    f"atlas of shape {tuple(image.shape)}, but the bank holds {tuple(self.images.shape[2:])}"
                )
            self.images[modality, place, :channels] = image
            self.images[modality, place, channels:] = 0
            self.labels[modality, place] = label
        self.count[modality] = end

    def images_of(self, modality: int) -> Tensor:
        """Atlas images (A', C, Z, Y, X), float32."""
        return self.images[modality, : int(self.count[modality])].float()

    def labels_of(self, modality: int) -> Tensor:
        """One-hot atlas labels (A', K, Z, Y, X), float32."""
        labels = self.labels[modality, : int(self.count[modality])]
        return one_hot(labels[:, None], self.classes)

    def fuse(self, modality: int, scan: Tensor, fields: Tensor) -> Tensor:
        """Labels of all atlases propagated to one scan, weighted by how well each matches it locally.

        The weight is a softmax over the atlases of the local correlation (window 9) of the warped image with the scan,
        of their first channels.
        An atlas is one patch: beyond its border it has no label, not even background.

        Args:
            modality: index of the modality of scan and atlases.
            scan: (C, Z, Y, X).
            fields: (A', 3, Z, Y, X), at full resolution.

        Returns:
            Probabilities (K, Z, Y, X); their sum over the classes is below 1 where atlases have no label.
        """
        warped = warp(self.images_of(modality)[:, :1], fields)  # (A', 1, Z, Y, X)
        correlation = local_correlation(warped, scan[None, :1])
        weight = (correlation / TEMPERATURE).softmax(0)  # (A', 1, Z, Y, X)
        return (weight * inside(fields) * warp(self.labels_of(modality), fields)).sum(0)
