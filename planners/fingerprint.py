"""The fingerprint of a dataset, in which no label has a say."""

from functools import partial

import numpy as np
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from nnunetv2.preprocessing.normalization.default_normalization_schemes import CTNormalization
from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme

from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

SOFT_TISSUE_HU = (-200.0, 300.0)
"""Fat, muscle, organs and enhanced vessels, with their noise; air, lung, the table and dense bone lie outside."""
VOXELS_PER_SCAN = 20_000
"""Drawn at random from the body: a thousand scans then need 80 MB, and each counts the same."""


class BodyFingerprintExtractor(DatasetFingerprintExtractor):
    """nnU-Net's fingerprint, with intensities of the body in the place of intensities of the labelled foreground.

    nnU-Net reads all labels of ``imagesTr`` to find the foreground. In a fold with few labels most of these are
    hidden, and the normalization must not have seen them: no label file is opened here. The scans of ``imagesUn`` are
    taken in as well, since they are trained on.

    CT is clipped to the percentiles 0.5 and 99.5 of the soft tissue (``SOFT_TISSUE_HU``), and brought to its zero mean
    and unit deviation. That makes it comparable with MRI, which nnU-Net normalizes to zero mean and unit deviation
    over each scan: in both, fat, muscle and organs then span a few units around zero.
    """

    def __init__(self, dataset: RawDataset, num_processes: int) -> None:
        super().__init__(dataset.id, num_processes)
        self.raw = dataset
        self.dataset = {
            case: {"images": images, "label": images[0]}  # read in the label's place, and without effect
            for part in (TRAINING, UNLABELLED)
            for case in dataset.cases(part)
            for images in [[str(image) for image in dataset.images(part, case)]]
        }
        # nnU-Net's own intensities are replaced: one voxel a scan keeps it from gathering them.
        self.num_foreground_voxels_for_intensitystats = len(self.dataset)

    def run(self, overwrite_existing: bool = True) -> dict:
        """Extract the fingerprint, write it as ``dataset_fingerprint.json``, and return it.

        Raises:
            UserError: a scan holds no body.
        """
        fingerprint = super().run(overwrite_existing)
        fingerprint["foreground_intensity_properties_per_channel"] = self._body_intensities()
        write_json(dataset_folder("preprocessed", self.raw.id) / "dataset_fingerprint.json", fingerprint)
        return fingerprint

    def _body_intensities(self) -> dict[str, dict[str, float]]:
        files = [entry["images"] for entry in self.dataset.values()]
        is_ct = tuple(get_normalization_scheme(channel) is CTNormalization for channel in self.raw.channels)
        reader = determine_reader_writer_from_dataset_json(self.dataset_json, files[0][0], verbose=False)
        samples = map_cases(
            partial(sample_body, reader=reader, is_ct=is_ct),
            files,
            processes=self.num_processes,
            description="Intensities of the body",
        )
        return {
            str(c): intensity_properties(np.concatenate(drawn)) for c, drawn in enumerate(zip(*samples, strict=True))
        }


def sample_body(files: list[str], *, reader: type[BaseReaderWriter], is_ct: tuple[bool, ...]) -> list[np.ndarray]:
    """Draw ``VOXELS_PER_SCAN`` intensities from the body in a scan, for each channel, float32.

    The body is the soft tissue in CT, and what is not zero in other modalities.

    Args:
        files: of the scan, one a channel.
        reader: nnU-Net's.
        is_ct: whether a channel is in Hounsfield units.

    Raises:
        UserError: a channel holds no body.
    """
    image, _ = reader().read_images(files)  # (C, Z, Y, X)
    low, high = SOFT_TISSUE_HU
    samples = []
    for channel, file, ct in zip(image, files, is_ct, strict=True):
        body = channel[(channel > low) & (channel < high) if ct else channel != 0]
        if body.size == 0:
            wanted = f"voxel between {low:g} and {high:g} HU: is it a CT in Hounsfield units?" if ct else "voxel but 0"
            raise UserError(f"{file} has no {wanted}: remove or repair it")
        samples.append(np.random.default_rng(0).choice(body, VOXELS_PER_SCAN))
    return samples


def intensity_properties(values: np.ndarray) -> dict[str, float]:
    """What nnU-Net's normalization reads, of intensities (V,); mean and deviation are those after clipping."""
    low, median, high = np.percentile(values, (0.5, 50, 99.5))
    clipped = np.clip(values, low, high).astype(np.float64)
    properties = {
        "mean": clipped.mean(),
        "median": median,
        "std": clipped.std(),
        "min": values.min(),
        "max": values.max(),
        "percentile_99_5": high,
        "percentile_00_5": low,
    }
    return {name: float(value) for name, value in properties.items()}
