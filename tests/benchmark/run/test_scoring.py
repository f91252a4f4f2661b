import shutil

import pandas as pd
import pytest

from mass_nnunet.benchmark.run import job as jobs  # pytest would take the class Tested for a test
from mass_nnunet.benchmark.run.grid import Cell, Grid
from mass_nnunet.benchmark.run.scoring import SCORED, SCORES, of_cell, score_test_scans, write_scores
from mass_nnunet.data.files import write_json
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from region_group import REGIONS, give_regions
from tiny_raw import write_raw_dataset


def test_scores_of_a_cell_say_what_they_are_of(tmp_path):
    cell = Cell("A", 0.5, 3)
    tests = [
        jobs.Tested(RawDataset(n, tmp_path / f"Dataset{n}_X", {}), name) for n, name in ((801, "CT"), (802, "MRI"))
    ]
    job = jobs.Job(Grid((801, 802), ("A",), (0.5,), (3,), tmp_path), cell, 0, False, (), tuple(tests), "")
    table = pd.DataFrame({"case": ["007"], "patient": ["08"], "organ": ["liver"], "dice": [0.5]})
    write_scores(tmp_path, [of_cell(job, tested, "fused", table) for tested in tests])
    scores = pd.read_csv(tmp_path / SCORES, dtype={"case": str, "patient": str})
    assert list(scores) == [*SCORED, "dice"]
    assert scores.iloc[1].tolist() == ["A", "MRI", "Dataset802_X", 0.5, 3, "fused", "007", "08", "liver", 0.5]


def test_predictions_of_a_model_with_other_labels_are_refused(tmp_path):
    folder = write_raw_dataset(tmp_path, "Dataset801_X", "CT", ["a"], test=["t"])
    raw, predictions = RawDataset.read(folder), tmp_path / "predictions"
    shutil.copytree(folder / "labelsTs", predictions)
    write_json(predictions / "dataset.json", {"labels": raw.content["labels"]})
    assert score_test_scans(raw, predictions)["dice"].tolist() == [1, 1, 1, 1]
    write_json(predictions / "dataset.json", {"labels": {"background": 0, "liver": 1, "spleen": 4}})
    with pytest.raises(UserError, match=r"predictions/dataset.json has liver 1, and \S+X/dataset.json has liver 4"):
        score_test_scans(raw, predictions)


def test_regions_are_scored_as_nnunet_names_them(tmp_path):
    folder = write_raw_dataset(tmp_path, "Dataset801_X", "CT", ["a"], test=["t"])
    give_regions(folder)
    raw, predictions = RawDataset.read(folder), tmp_path / "predictions"
    shutil.copytree(folder / "labelsTs", predictions)
    shutil.copy(folder / "dataset.json", predictions)
    table = score_test_scans(raw, predictions)
    assert table["organ"].tolist() == list(REGIONS) and table["dice"].tolist() == [1] * len(REGIONS)
    write_json(predictions / "dataset.json", {"labels": {"background": 0, "solid": [1, 3]}})
    with pytest.raises(UserError, match=r"predictions/dataset.json has solid \[1, 3\], and \S+ has solid \[1, 4\]"):
        score_test_scans(raw, predictions)
