"""Batches of the whole group: labelled and unlabelled scans of every modality, stacked in one tensor."""

from collections.abc import Sequence
from pathlib import Path

import blosc2
import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from .errors import UserError


def unlabelled_folder(preprocessed: Path) -> Path:
    """Where the preprocessed scans of ``imagesUn`` lie, given nnU-Net's folder ``<data_identifier>``."""
    return preprocessed.with_name(preprocessed.name + "_unlabelled")


class UnlabelledDataset(nnUNetDatasetBlosc2):
    """Scans whose labels are not read, even where they exist.

    A scan is looked for among those of ``imagesUn`` and then among nnU-Net's own preprocessed scans, of which only
    the image is opened: neither the label nor the properties, which hold where the organs are.

    Args:
        preprocessed: nnU-Net's folder of preprocessed scans, ``<data_identifier>``.
        identifiers: of the cases.

    Raises:
        UserError: a case is in neither folder.
    """

    def __init__(self, preprocessed: Path, identifiers: Sequence[str]) -> None:
        super().__init__(str(preprocessed), list(identifiers))
        folders = (unlabelled_folder(preprocessed), preprocessed)
        self.files = {}
        for identifier in identifiers:
            files = [folder / f"{identifier}.b2nd" for folder in folders]
            existing = [file for file in files if file.is_file()]
            if not existing:
                raise UserError(f"{files[0]} does not exist, nor {files[1]}: run `mass_nnunet plan` again")
            self.files[identifier] = existing[0]

    def load_case(self, identifier: str) -> tuple[blosc2.NDArray, np.ndarray, None, dict]:
        """Image (C, Z, Y, X), an empty label (1, Z, Y, X), no previous stage, and no organ locations."""
        image = blosc2.open(urlpath=str(self.files[identifier]), mode="r", dparams={"nthreads": 1}, **self.mmap_kwargs)
        return image, np.broadcast_to(np.int8(0), (1, *image.shape[1:])), None, {"class_locations": {}}


class DistinctLoader(nnUNetDataLoader):
    """nnU-Net's loader, that takes no scan twice into a batch where there are enough: an atlas is another scan."""

    def get_indices(self) -> list[str]:
        """Identifiers of the next batch."""
        scarce = len(self.indices) < self.batch_size
        return list(np.random.choice(self.indices, self.batch_size, replace=scarce))  # noqa: NPY002, workers seed it


class GroupLoader:
    """Stacks the batches of several loaders, in their order: what :class:`pairing.Layout` describes.

    Deep supervision targets are stacked scale by scale.

    Args:
        loaders: of the parts of a batch.
        every: of each loader, how many batches there are from one that it adds to to the next; all add to the first.
    """

    def __init__(self, loaders: Sequence[nnUNetDataLoader], every: Sequence[int] | None = None) -> None:
        self.loaders = loaders
        self.every = every or [1] * len(loaders)
        self.batches = 0

    def __iter__(self) -> "GroupLoader":
        return self

    def __next__(self) -> dict:
        """``data`` (S, C, Z, Y, X), ``target`` a list of (S, 1, Z_s, Y_s, X_s), ``keys`` of the S scans."""
        batches = [next(loader) for loader, n in zip(self.loaders, self.every, strict=True) if self.batches % n == 0]
        self.batches += 1
        return {
            "data": torch.cat([batch["data"] for batch in batches]),
            "target": [torch.cat(scale) for scale in zip(*(batch["target"] for batch in batches), strict=True)],
            "keys": [key for batch in batches for key in batch["keys"]],
        }

    def set_thread_id(self, thread_id: int) -> None:
        """Called by batchgenerators in each worker; each begins at another place of the cycle that ``every`` makes."""
        self.batches = thread_id
        for loader in self.loaders:
            loader.set_thread_id(thread_id)
