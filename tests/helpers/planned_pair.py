"""A tiny CT and a tiny MRI dataset, the command that plans them, and what it writes."""

import json
from pathlib import Path

import blosc2
import numpy as np

NAMES = ("Dataset801_CTS", "Dataset802_MRS")
GROUP = ["plan", "-d", "801", "802"]
NETWORK = ["--features", "4", "-np", "1"]
COMMAND = [*GROUP, "--spacing", "fit", "--patch-size", "8", "16", "32", *NETWORK]
ARRAYS = "MASSPlans_3d_fullres"


def plans_of(root: Path) -> list[dict]:
    return [json.loads((root / "preprocessed" / name / "MASSPlans.json").read_text()) for name in NAMES]


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    return {file.name: blosc2.open(urlpath=str(file), mode="r")[:] for file in sorted(folder.glob("*.b2nd"))}
