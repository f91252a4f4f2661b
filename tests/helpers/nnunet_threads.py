"""nnU-Net's worker processes as threads: starting a process costs seconds, and the tests start dozens."""

from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import pytest
from nnunetv2.experiment_planning import verify_dataset_integrity
from nnunetv2.experiment_planning.dataset_fingerprint import fingerprint_extractor
from nnunetv2.preprocessing.preprocessors import default_preprocessor
from nnunetv2.utilities import utils

THREADS = SimpleNamespace(get_context=lambda _: SimpleNamespace(Pool=ThreadPool))
"""What stands for ``multiprocessing`` in a module of nnU-Net."""


def use_threads(patch: pytest.MonkeyPatch) -> None:
    """Let nnU-Net check, fingerprint and preprocess datasets in this process, as long as ``patch`` lasts."""
    patch.setattr(fingerprint_extractor, "multiprocessing", THREADS)
    patch.setattr(default_preprocessor, "multiprocessing", THREADS)
    patch.setattr(verify_dataset_integrity, "multiprocessing", THREADS)
    patch.setattr(utils, "Pool", ThreadPool)
