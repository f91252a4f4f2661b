"""The table of benchmarks/table.py, which is a script beside the package; its test is that of statistics.py."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

_FILE = Path(__file__).parents[1] / "benchmarks" / "table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("table", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(method: str, gain: float, seeds: int = 2) -> pd.DataFrame:
    """Six scans with two organs; ``gain`` on every scan, and 0.02 more with the second seed."""
    rows = [
        {"case": f"scan{i}", "organ": organ, "dice": 0.5 + 0.05 * i + gain + 0.02 * seed, "seed": seed}
        for i in range(6)
        for organ in ("liver", "spleen")
        for seed in range(seeds)
    ]
    setting = {"data": "phantom", "rate": 0.1, "modality": "CT", "inference": "segmentation"}
    timed = {"training_seconds": 60.0, "seconds_per_scan": 1.0}
    return pd.DataFrame(rows).assign(method=method, **setting, **timed)


def test_table(table, tmp_path):
    for name, gain in (("MASSTrainer", 0.0), ("DualStreamTrainer", -0.1)):
        scores(name, gain).to_csv(tmp_path / f"{name}.csv", index=False)
    text = table.write_table(sorted(tmp_path.glob("*Trainer.csv")), tmp_path)
    assert text == (tmp_path / "table.md").read_text()
    dual, mass = text.splitlines()[2:]
    expected = (
        "| phantom | 0.1 | CT | DualStreamTrainer | segmentation | 0.535 | 0.014 | 2 | -0.100 | 0.031 | 60 | 1.0 |"
    )
    assert dual == expected
    assert "| MASSTrainer | segmentation | 0.635 | 0.014 | 2 | +0.000 | nan |" in mass
