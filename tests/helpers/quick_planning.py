"""nnU-Net's planning as tests can afford it: workers as threads, and a fingerprint from few voxels."""

import pytest
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor

from nnunet_threads import use_threads


def plan_quickly(patch: pytest.MonkeyPatch) -> None:
    """Let planning and preprocessing take a second for a tiny dataset, as long as ``patch`` lasts."""
    use_threads(patch)
    sample_few_voxels(patch)


def sample_few_voxels(patch: pytest.MonkeyPatch) -> None:
    """nnU-Net's own fingerprint takes statistics of a hundred million voxels, however small the scans are.

    These are fewer, and still some of each of 2,000 scans.
    """
    make = DatasetFingerprintExtractor.__init__

    def make_and_limit(extractor: DatasetFingerprintExtractor, *arguments: object, **others: object) -> None:
        make(extractor, *arguments, **others)
        extractor.num_foreground_voxels_for_intensitystats = 10_000

    patch.setattr(DatasetFingerprintExtractor, "__init__", make_and_limit)
