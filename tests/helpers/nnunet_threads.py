"""nnU-Net's worker processes as threads: starting a process costs seconds, and the tests start dozens."""

from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import pytest
from nnunetv2.experiment_planning import verify_dataset_integrity
from nnunetv2.experiment_planning.dataset_fingerprint import fingerprint_extractor
from nnunetv2.preprocessing.preprocessors import default_preprocessor
from nnunetv2.utilities import utils


def use_threads(patch: pytest.MonkeyPatch) -> None:
    """Let nnU-Net check, fingerprint and preprocess datasets in this process, as long as ``patch`` lasts."""
    threads = SimpleNamespace(get_context=lambda _: SimpleNamespace(Pool=ThreadPool))
    patch.setattr(fingerprint_extractor, "multiprocessing", threads)
    patch.setattr(default_preprocessor, "multiprocessing", threads)
    patch.setattr(verify_dataset_integrity, "multiprocessing", threads)
    patch.setattr(utils, "Pool", ThreadPool)
