"""What this package writes beside nnU-Net's own files, so that stock nnU-Net plans as in a fresh folder."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mass_nnunet.runtime.env import temporary_environment

PLANS_NAME = "MASSPlans"
FINGERPRINT = f"{PLANS_NAME}_fingerprint.json"
"""The fingerprint of a dataset from which its group is planned; ``NNUNET_FINGERPRINT`` remains nnU-Net's own."""
NNUNET_FINGERPRINT = "dataset_fingerprint.json"


@contextmanager
def apart(dataset: str) -> Iterator[Path]:
    """Let nnU-Net write its preprocessed data elsewhere inside the block; yields its empty folder of the dataset.

    nnU-Net reads and writes the fingerprint under one name only.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        temporary_environment({"nnUNet_preprocessed": folder}),
    ):
        path = Path(folder) / dataset
        path.mkdir()
        yield path
