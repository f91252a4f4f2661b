"""The tiny group with regions: as many as its labels have values with the background, so that counts tell nothing."""

from pathlib import Path

from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.labels import LABELS
from tiny_group import CT, MRI, plan_group
from tiny_raw import write_raw_dataset

REGIONS = {"organs": [1, 2, 3, 4], "solid": [1, 4], "liver": 4, "kidneys": [2, 3], "right_kidney": [2]}
WITH_REGIONS = {"labels": {"background": 0, **REGIONS}, "regions_class_order": [1, 1, 4, 3, 2]}
CLASSES = {"background": 0, "1": 1, "right_kidney": 2, "3": 3, "liver": 4}
"""What the values of the label maps are called."""
assert len(REGIONS) == len(CLASSES) == len(LABELS)


def give_regions(folder: Path, **changes: object) -> None:
    """Let the labels of a raw dataset be regions of the same values."""
    file = folder / "dataset.json"
    write_json(file, read_json(file, "") | WITH_REGIONS | changes)


def region_group(root: Path) -> None:
    """Raw datasets with regions under ``root``, a fold with one labelled case of four, and plans."""
    for name, letters, channel, seed in ((CT, "ct", "CT", 0), (MRI, "mr", "MRI", 1)):
        cases = [f"{letters}{i}" for i in range(5)]
        write_raw_dataset(root / "raw", name, channel, cases, [f"{letters}un"], [f"{letters}test"], seed=seed)
        give_regions(root / "raw" / name)
    schedule = ["--epochs", "1", "--iterations", "2"]
    plan_group(root, ["801", "802"], ["--label-rates", "0.25"], schedule)
