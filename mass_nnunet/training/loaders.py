"""Batches of the whole group: labelled and unlabelled scans of every modality, stacked in one tensor."""

from collections.abc import Sequence
from pathlib import Path

import blosc2
import numpy as np
import torch
import torch.nn.functional as F
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from torch import Tensor

from mass_nnunet.data.files import atomic_path
from mass_nnunet.errors import UserError
from mass_nnunet.labels import UNKNOWN
from mass_nnunet.losses.marginal import told
from mass_nnunet.losses.signed_distance import signed_distance

from .possible import PossibleClasses


def unlabelled_folder(preprocessed: Path) -> Path:
    """Folder of the preprocessed scans of ``imagesUn``, given nnU-Net's folder ``<data_identifier>``."""
    return preprocessed.with_name(preprocessed.name + "_unlabelled")


def outside_folder(preprocessed: Path) -> Path:
    """Folder of the preprocessed labels of another tool (data/outside.py), given ``<data_identifier>``."""
    return preprocessed.with_name(preprocessed.name + "_pseudo")


def label_file(folder: Path, identifier: str) -> Path:
    """The file of a scan's known labels in a folder."""
    return folder / f"{identifier}.b2nd"


def write_labels(file: Path, labels: np.ndarray) -> None:
    """Write the known labels of a scan, (1, Z, Y, X) int16, completely or not at all.

    Raises:
        OSError: it cannot be written; it names the file.
        UserError: blosc2 cannot write it, which does not say why.
    """
    with atomic_path(file) as temporary:
        try:
            blosc2.asarray(labels, urlpath=str(temporary), mode="w")
        except RuntimeError as error:
            raise UserError(f"{file} cannot be written ({error}): make room on the disk") from error


class UnlabelledDataset(nnUNetDatasetBlosc2):
    """Unlabelled scans, with labels that are known without an annotation. Their own labels are never read.

    A scan is searched among the preprocessed scans of ``imagesUn``, then among nnU-Net's own preprocessed scans. There
    only the image is opened, neither the label nor the properties, which contain the locations of organs.

    Args:
        preprocessed: nnU-Net's folder of preprocessed scans, ``<data_identifier>``.
        identifiers: identifiers of the cases.
        known: folders of label maps ``<case>.b2nd`` that are written during the training, with :data:`labels.UNKNOWN`
            and :data:`labels.ELSEWHERE` among the labels. The first folder that has a scan's counts.

    Raises:
        UserError: a case is in neither folder.
    """

    def __init__(self, preprocessed: Path, identifiers: Sequence[str], known: Sequence[Path]) -> None:
        super().__init__(str(preprocessed), list(identifiers))
        self.known = known
        folders = (unlabelled_folder(preprocessed), preprocessed)
        self.files = {}
        for identifier in identifiers:
            files = [folder / f"{identifier}.b2nd" for folder in folders]
            existing = [file for file in files if file.is_file()]
            if not existing:
                raise UserError(f"{files[0]} does not exist, nor {files[1]}: run `mass_nnunet plan` again")
            self.files[identifier] = existing[0]

    def load_case(self, identifier: str) -> tuple[blosc2.NDArray, blosc2.NDArray | np.ndarray, None, dict]:
        """Image (C, Z, Y, X), its :meth:`labels_of`, no previous stage, and no organ locations."""
        return self._open(self.files[identifier]), self.labels_of(identifier), None, {"class_locations": {}}

    def labels_of(self, identifier: str) -> blosc2.NDArray | np.ndarray:
        """The known labels of a scan, (1, Z, Y, X); :data:`labels.UNKNOWN` everywhere if there is no file."""
        for folder in self.known:
            if (file := label_file(folder, identifier)).is_file():
                return self._open(file)
        return np.broadcast_to(np.int16(UNKNOWN), (1, *self._open(self.files[identifier]).shape[1:]))

    def _open(self, file: Path) -> blosc2.NDArray:
        return blosc2.open(urlpath=str(file), mode="r", dparams={"nthreads": 1}, **self.mmap_kwargs)


class DistinctLoader(nnUNetDataLoader):
    """nnU-Net's loader without repeated scans in a batch, if there are enough: atlas and target are different scans."""

    def get_indices(self) -> list[str]:
        """Identifiers of the next batch."""
        scarce = len(self.indices) < self.batch_size
        chosen = np.random.choice(np.array(self.indices), self.batch_size, replace=scarce)  # noqa: NPY002, workers seed it
        return chosen.tolist()


class GroupLoader:
    """A loader that concatenates the batches of several loaders in the order of :class:`mass_nnunet.batch.Layout`.

    The labels of deep supervision are concatenated scale by scale. Scans of fewer channels than others are followed by
    channels of zeros.

    Args:
        loaders: loaders of the parts of a batch.
        every: one number n per loader, which contributes to every n-th batch, beginning with the first; None for 1.
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
            "data": torch.cat(with_channels([batch["data"] for batch in batches])),
            "target": [torch.cat(scale) for scale in zip(*(batch["target"] for batch in batches), strict=True)],
            "keys": [key for batch in batches for key in batch["keys"]],
        }

    def set_thread_id(self, thread_id: int) -> None:
        """Called by batchgenerators in each worker, whose NumPy random state is its own by then.

        Each worker starts at a different batch of the cycle of ``every``. torch's random state is set from NumPy's:
        it is a copy of the main process's, and not all of batchgenerators' workers set it. Nor do all limit torch to
        one thread, without which a forked worker may wait for the threads of its parent for ever.
        """
        torch.set_num_threads(1)
        torch.manual_seed(np.random.randint(2**31))  # noqa: NPY002, workers seed it
        self.batches = thread_id
        for loader in self.loaders:
            loader.set_thread_id(thread_id)


def with_channels(images: Sequence[Tensor]) -> list[Tensor]:
    """Images (B, C, Z, Y, X) with as many channels as the one that has most; those that they lack are 0."""
    lacking = [max(image.shape[1] for image in images) - image.shape[1] for image in images]
    return [F.pad(x, (0,) * 7 + (lack,)) if lack else x for x, lack in zip(images, lacking, strict=True)]


class DistanceLoader(GroupLoader):
    """A loader that appends the signed distances (L, K - 1, Z, Y, X) of the L labelled scans to a batch's ``target``.

    The distances are computed here, in nnU-Net's worker processes, because this takes long.

    Args:
        loaders: the loader of the labelled scans, then loaders of other scans.
        spacing: voxel size (z, y, x) in mm.
        possible: the classes at each label; background has no distance. Where a distance is not known it is NaN.
    """

    def __init__(
        self, loaders: Sequence[nnUNetDataLoader], spacing: Sequence[float], possible: PossibleClasses
    ) -> None:
        super().__init__(loaders)
        self.spacing = spacing
        self.unknown = ~told(possible.table()).numpy()  # (V, K)

    def __next__(self) -> dict:
        batch = super().__next__()
        labels = batch["target"][0][: self.loaders[0].batch_size, 0].numpy()
        distances = [
            [signed_distance(scan == k, self.spacing, self.unknown[scan, k]) for k in range(1, self.unknown.shape[1])]
            for scan in labels
        ]
        batch["target"].append(torch.from_numpy(np.array(distances)))
        return batch
