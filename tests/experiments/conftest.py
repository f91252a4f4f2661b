"""Files as those of shared/data."""

import numpy as np
import pytest

from tiny_raw import make_scan, write_scan

BTCV = {0: 0, 1: 1, 2: 2, 3: 3, 4: 6}  # our labels as those of the files
CHAOS = {0: 0, 4: 1, 2: 2, 3: 3, 1: 4}


@pytest.fixture
def source(tmp_path):
    """A folder with six CTs of BTCV and six MRIs of CHAOS."""
    rng = np.random.default_rng(0)
    for folder, channel, table in (("btcv_ct", "CT", BTCV), ("chaos_t2_mr", "MRI", CHAOS)):
        for number in range(1, 7):
            image, label = make_scan(channel, (8, 24, 24), rng)
            values = np.vectorize(table.get)(label).astype(np.uint8)
            for kind, array in (("image", image), ("label", values)):
                write_scan(tmp_path / "data" / folder / f"{kind}_{number:02}.nii.gz", array, (6.0, 2.0, 2.0))
    return tmp_path / "data"
