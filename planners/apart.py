"""Names of this package's files beside nnU-Net's own, which stay as stock nnU-Net writes them into a fresh folder."""

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
    """Let nnU-Net write preprocessed data into a temporary folder inside the block; yields that of the dataset, empty.

    nnU-Net reads and writes the fingerprint under one name only.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        temporary_environment({"nnUNet_preprocessed": folder}),
    ):
        path = Path(folder) / dataset
        path.mkdir()
        yield path
