"""Batches of the whole group: labelled and unlabelled scans of every modality, stacked in one tensor."""

from collections.abc import Sequence
from pathlib import Path

import blosc2
import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from mass_nnunet.errors import UserError
from mass_nnunet.losses.signed_distance import signed_distance

UNKNOWN = 2**15 - 1
"""Label of the voxels of a scan to which no label has been propagated (yet)."""


def unlabelled_folder(preprocessed: Path) -> Path:
    """Where the preprocessed scans of ``imagesUn`` lie, given nnU-Net's folder ``<data_identifier>``."""
    return preprocessed.with_name(preprocessed.name + "_unlabelled")


class UnlabelledDataset(nnUNetDatasetBlosc2):
    """Scans whose own labels are not read, even where they exist; theirs are those that atlases propagate to them.

    A scan is looked for among those of ``imagesUn`` and then among nnU-Net's own preprocessed scans, of which only
    the image is opened: neither the label nor the properties, which hold where the organs are.

    Args:
        preprocessed: nnU-Net's folder of preprocessed scans, ``<data_identifier>``.
        identifiers: of the cases.
        propagated: where propagated labels appear in the course of a training, ``<case>.b2nd`` each.

    Raises:
        UserError: a case is in neither folder.
    """

    def __init__(self, preprocessed: Path, identifiers: Sequence[str], propagated: Path) -> None:
        super().__init__(str(preprocessed), list(identifiers))
        self.propagated = propagated
        folders = (unlabelled_folder(preprocessed), preprocessed)
        self.files = {}
        for identifier in identifiers:
            files = [folder / f"{identifier}.b2nd" for folder in folders]
            existing = [file for file in files if file.is_file()]
            if not existing:
                raise UserError(f"{files[0]} does not exist, nor {files[1]}: run `mass_nnunet plan` again")
            self.files[identifier] = existing[0]

    def load_case(self, identifier: str) -> tuple[blosc2.NDArray, np.ndarray, None, dict]:
        """Image (C, Z, Y, X), propagated labels (1, Z, Y, X) or UNKNOWN, no previous stage, and no organ locations."""
        image = self._open(self.files[identifier])
        labels = self.file_of(identifier)
        known = self._open(labels) if labels.is_file() else np.broadcast_to(np.int16(UNKNOWN), (1, *image.shape[1:]))
        return image, known, None, {"class_locations": {}}

    def file_of(self, identifier: str) -> Path:
        """Where the labels are, or will be, that are propagated to a scan."""
        return self.propagated / f"{identifier}.b2nd"

    def _open(self, file: Path) -> blosc2.NDArray:
        return blosc2.open(urlpath=str(file), mode="r", dparams={"nthreads": 1}, **self.mmap_kwargs)


class DistinctLoader(nnUNetDataLoader):
    """nnU-Net's loader, that takes no scan twice into a batch where there are enough: an atlas is another scan."""

    def get_indices(self) -> list[str]:
        """Identifiers of the next batch."""
        scarce = len(self.indices) < self.batch_size
        chosen = np.random.choice(np.array(self.indices), self.batch_size, replace=scarce)  # noqa: NPY002, workers seed it
        return chosen.tolist()


class GroupLoader:
    """Stacks the batches of several loaders, in their order: what :class:`mass_nnunet.batch.Layout` describes.

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
        """Called by batchgenerators in each worker, of which NumPy's random state is its own by then.

        Each worker begins at another place of the cycle that ``every`` makes. torch's random state is set from NumPy's:
        it is a copy of the main process's, and not all versions of batchgenerators set it.
        """
        torch.manual_seed(np.random.randint(2**31))  # noqa: NPY002, workers seed it
        self.batches = thread_id
        for loader in self.loaders:
            loader.set_thread_id(thread_id)


class DistanceLoader(GroupLoader):
    """Appends to the ``target`` of a batch the signed distances (L, K - 1, Z, Y, X) of its L labelled scans.

    The distances are computed here, in nnU-Net's worker processes, since they take far longer than a label map.

    Args:
        loaders: of the labelled scans, and of others, whose labels are not looked at.
        spacing: of the voxels (Z, Y, X).
        classes: K, with background, which has no distance.
    """

    def __init__(self, loaders: Sequence[nnUNetDataLoader], spacing: Sequence[float], classes: int) -> None:
        super().__init__(loaders)
        self.spacing = spacing
        self.classes = classes

    def __next__(self) -> dict:
        batch = super().__next__()
        labels = batch["target"][0][: self.loaders[0].batch_size, 0].numpy()
        distances = [[signed_distance(scan == k, self.spacing) for k in range(1, self.classes)] for scan in labels]
        batch["target"].append(torch.from_numpy(np.array(distances)))
        return batch
