import pandas as pd

from mass_nnunet.benchmark.run import job as jobs  # pytest would take the class Tested for a test
from mass_nnunet.benchmark.run.grid import Cell, Grid
from mass_nnunet.benchmark.run.scoring import SCORED, SCORES, of_cell, write_scores
from mass_nnunet.data.raw import RawDataset


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
