"""The statistics of benchmarks/table.py, which is a script beside the package."""

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


def test_difference_is_paired_by_scan_and_seeds_are_no_further_scans(table):
    difference, p = table.compare(scores("A", 0.1), scores("B", 0.0))
    assert difference == pytest.approx(0.1)
    assert p == pytest.approx(2 / 2**6)  # all of six differences have one sign


def test_nothing_to_compare_is_nan(table):
    difference, p = table.compare(scores("A", 0.1), scores("A", 0.1))
    assert difference == 0
    assert p != p
    assert all(value != value for value in table.compare(scores("A", 0.1), scores("B", 0.0).iloc[:0]))


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
