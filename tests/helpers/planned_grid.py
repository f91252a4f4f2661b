"""Two raw datasets with the splits and plans that the benchmark reads; they are not sufficient for a training."""

from pathlib import Path

import pytest

from mass_nnunet.benchmark.run.grid import Grid
from mass_nnunet.cli import main
from mass_nnunet.data.files import write_json
from tiny_group import CT, MRI, use_folders
from tiny_raw import write_raw_dataset

TEXT = """\
datasets: [801, 802]
methods: [SupervisedTrainer, MASSTrainer]
label_rates: [0.25, 1.0]
seeds: [0, 1]
device: cpu
output: out
"""


def write_planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> Grid:
    """Write them, point nnU-Net's variables at them, and return a grid on them."""
    use_folders(monkeypatch, root)
    for name, channel in ((CT, "CT"), (MRI, "MRI")):
        write_raw_dataset(root / "raw", name, channel, [f"{channel}{n}" for n in range(5)], test=[f"{channel}t"])
        write_plans(root, name, channel)
    assert main(["split", "-d", "801", "802", "--label-rates", "0.25", "1.0", "--seeds", "2"]) == 0
    (root / "grid.yaml").write_text(TEXT)
    return Grid((801, 802), ("SupervisedTrainer", "MASSTrainer"), (0.25, 1.0), (0, 1), root / "out", device="cpu")


def write_plans(root: Path, name: str, modality: str, **changes: object) -> None:
    group = [{"name": "CT", "dataset": CT}, {"name": "MRI", "dataset": MRI}]
    mass = {"modalities": group, "modality": modality, "hyperparameters": {}}
    content = {"mass": mass, "configurations": {"3d_fullres": {}}, "mean": -9.7732204545}
    write_json(root / "preprocessed" / name / "MASSPlans.json", content | changes)
