"""The fingerprint of a dataset, extracted without reading any label."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from mass_nnunet.data.files import write_json
from mass_nnunet.data.intensities import SOFT_TISSUE, is_ct
from mass_nnunet.data.nifti_file import ENDINGS, READ_ERRORS, check_finite, raw_values
from mass_nnunet.data.paths import dataset_folder
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.workers import map_cases

from .apart import FINGERPRINT, apart
from .scans import make_training_folder, nnunet_cases

CLIPPED_SHARE = 0.002
"""Largest plausible share of the soft tissue that has exactly the smallest, or the largest, intensity of the scan.

Beyond it the scan was clipped there, and that value stands for all air or all bone. Noise keeps the share far lower in
scans that were not clipped.
"""
_LIBRARY_ERRORS = (
    *(ImageFileError, HeaderDataError, AssertionError, ValueError, RuntimeError),
    *(MemoryError, OverflowError),
)
"""Raised by nibabel and nnU-Net's readers where a header says what the file does not hold."""
VOXELS_PER_SCAN = 20_000
"""Random sample from the body: every scan counts the same, and a thousand scans need 80 MB."""


class BodyFingerprintExtractor(DatasetFingerprintExtractor):
    """nnU-Net's fingerprint, with intensities of the body instead of intensities of the labelled foreground.

    nnU-Net reads all labels of ``imagesTr`` to find the foreground. In a fold with few labels most of them are hidden,
    and the normalization must not depend on hidden labels: no label file is opened here. The scans of ``imagesUn`` are
    included, since they are trained on.

    With it nnU-Net clips CT to the percentiles 0.5 and 99.5 of the soft tissue (``SOFT_TISSUE``), and normalizes it
    to zero mean and unit standard deviation of the soft tissue. MRI is normalized to zero mean and unit standard
    deviation of each scan. In both, fat, muscle and organs then span a few units around zero.
    """

    def __init__(self, dataset: RawDataset, num_processes: int) -> None:
        make_training_folder(dataset)
        super().__init__(dataset.id, num_processes)
        self.raw = dataset
        self.dataset = nnunet_cases(dataset)
        # nnU-Net's own intensities are replaced below: one voxel a scan is the least that it can collect.
        self.num_foreground_voxels_for_intensitystats = len(self.dataset)

    def run(self, overwrite_existing: bool = True) -> dict:
        """Extract the fingerprint, write it as ``FINGERPRINT``, and return it.

        Raises:
            UserError: a scan cannot be read, is not finite, or holds no body.
        """
        intensities = self._body_intensities()  # first: nnU-Net ends with a traceback where a scan is damaged
        with apart(self.raw.name):
            fingerprint = super().run(overwrite_existing)
        fingerprint["foreground_intensity_properties_per_channel"] = intensities
        write_json(dataset_folder("preprocessed", self.raw.id) / FINGERPRINT, fingerprint)
        return fingerprint

    def _body_intensities(self) -> dict[str, dict[str, float]]:
        files = [entry["images"] for entry in self.dataset.values()]
        reader = determine_reader_writer_from_dataset_json(self.dataset_json, files[0][0], verbose=False)
        samples = map_cases(
            partial(sample_body, reader=reader, is_ct=tuple(map(is_ct, self.raw.channels))),
            files,
            processes=self.num_processes,
            description="Intensities of the body",
        )
        return {
            str(number): intensity_properties(np.concatenate(channel))
            for number, channel in enumerate(zip(*samples, strict=True))
        }


def sample_body(files: list[str], *, reader: type[BaseReaderWriter], is_ct: tuple[bool, ...]) -> list[np.ndarray]:
    """Sample ``VOXELS_PER_SCAN`` intensities from the body in a scan, for each channel, float32.

    The body is the soft tissue in CT, without the values at which the scan was clipped, and all voxels but zeros in
    other modalities.

    Args:
        files: files of the scan, one for each channel.
        reader: nnU-Net's reader of such files.
        is_ct: whether a channel is in Hounsfield units.

    Raises:
        UserError: the scan cannot be read, is not finite, or a channel holds no body.
    """
    image = read_scan(files, reader)
    low, high = SOFT_TISSUE
    samples = []
    for channel, file, ct in zip(image, files, is_ct, strict=True):
        body = channel[(channel > low) & (channel < high) if ct else channel != 0]
        if body.size == 0:
            wanted = f"voxel between {low:g} and {high:g} HU: is it a CT in Hounsfield units?" if ct else "voxel but 0"
            raise UserError(f"{file} has no {wanted}: remove or repair it")
        tissue = without_clip_values(body, channel.min(), channel.max()) if ct else body
        samples.append(np.random.default_rng(0).choice(tissue, VOXELS_PER_SCAN))
    return samples


def read_scan(files: Sequence[str], reader: type[BaseReaderWriter]) -> np.ndarray:
    """A scan (C, Z, Y, X), as nnU-Net reads it.

    Raises:
        UserError: a file is damaged, or holds NaN or infinity.
    """
    try:
        image, _ = reader().read_images(files)
        for file, channel in zip(files, image, strict=True):
            check_finite(Path(file), channel)
            if file.endswith(ENDINGS) and issubclass(reader, SimpleITKIO):  # which reads NaN as 0
                check_finite(Path(file), raw_values(Path(file)))
    except (*READ_ERRORS, *_LIBRARY_ERRORS) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise UserError(f"{' and '.join(files)} cannot be read ({reason}): copy or convert the scan again") from None
    return image


def without_clip_values(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Intensities (V,) without those at which the scan was clipped; the same array if it was not.

    Args:
        values: intensities of the soft tissue.
        low: smallest intensity of the whole scan.
        high: its largest intensity.
    """
    clipped = [end for end in (low, high) if np.mean(values == end) > CLIPPED_SHARE]
    kept = values[~np.isin(values, clipped)] if clipped else values
    return kept if kept.size else values


def intensity_properties(values: np.ndarray) -> dict[str, float]:
    """Statistics of intensities (V,) for nnU-Net's normalization; mean and standard deviation are after clipping."""
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
