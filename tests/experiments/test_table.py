"""The table of experiments/table.py, a script beside the package; its paired test is that of statistics.py."""

from pathlib import Path

import pandas as pd
import pytest

from mass_nnunet.data.files import write_json
from scripts import load_script


@pytest.fixture(scope="module")
def table():
    return load_script("table")


def write_cell(group: Path, method: str, gain: float, seed: int, state: str = "done") -> None:
    """Six scans with two organs; ``gain`` on every scan, and 0.02 more with the second seed."""
    rows = [
        {"case": f"{group.name}_{i}", "organ": organ, "dice": 0.5 + 0.05 * i + gain + 0.02 * seed, "seed": seed}
        for i in range(6)
        for organ in ("liver", "spleen")
    ]
    setting = {"label_rate": 0.1, "modality": "CT", "inference": "segmentation", "method": method}
    folder = group / "benchmark" / "cells" / f"{method}_0.1_{seed}"
    folder.mkdir(parents=True)
    pd.DataFrame(rows).assign(**setting).to_csv(folder / "scores.csv", index=False)
    record = {"training_seconds": 50.0 + 20 * seed, "prediction_seconds_per_scan": {"segmentation": {"CT": 1.0}}}
    write_json(folder / "cell.json", {"state": state, **record})


def test_table(table, tmp_path):
    group = tmp_path / "phantom"
    for seed in range(2):
        write_cell(group, "MASSTrainer", 0.0, seed)
        write_cell(group, "DualStreamTrainer", -0.1, seed)
    write_cell(group, "MASSTrainer", 0.4, 2, state="running")
    text = table.write_table([group], tmp_path)
    assert text == (tmp_path / "table.md").read_text()
    dual, mass = text.splitlines()[2:]
    expected = (
        "| phantom | 0.1 | CT | DualStreamTrainer | segmentation | 0.535 | 0.014 | 2 | -0.100 | 0.031 | 60 | 1.0 |"
    )
    assert dual == expected
    assert "| MASSTrainer | segmentation | 0.635 | 0.014 | 2 | +0.000 | nan |" in mass


def test_the_reference_is_what_the_method_predicts_by_at_best(table, tmp_path):
    group = tmp_path / "phantom"
    write_cell(group, "MASSTrainer", 0.0, 0)
    write_cell(group, "DualStreamTrainer", -0.1, 0)
    folder = group / "benchmark" / "cells" / "MASSTrainer_0.1_0"
    scores = pd.read_csv(folder / "scores.csv")
    fused = scores.assign(inference="fused", dice=scores["dice"] + 0.1)
    pd.concat([scores, fused]).to_csv(folder / "scores.csv", index=False)
    per_scan = {name: {"CT": 1.0} for name in ("segmentation", "fused")}
    write_json(folder / "cell.json", {"state": "done", "training_seconds": 1, "prediction_seconds_per_scan": per_scan})
    dual, fused, head = table.write_table([group], tmp_path).splitlines()[2:]
    assert "| -0.200 |" in dual and "| +0.000 |" in fused and "| -0.100 |" in head


def test_nothing_is_written_before_a_cell_is_done(table, tmp_path):
    write_cell(tmp_path / "phantom", "MASSTrainer", 0.0, 0, state="running")
    assert table.write_table([tmp_path / "phantom"], tmp_path) == "no cell is done yet\n"
    assert not (tmp_path / "table.md").exists()


def test_quarters_of_the_real_patients_are_one_data(table, tmp_path):
    for fold in range(2):
        write_cell(tmp_path / f"real_{fold}", "MASSTrainer", 0.2 * fold, 0)
    text = table.write_table([tmp_path / f"real_{fold}" for fold in range(2)], tmp_path)
    (row,) = text.splitlines()[2:]
    assert row.startswith("| real | 0.1 | CT | MASSTrainer | segmentation | 0.725 |")
