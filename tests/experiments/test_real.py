"""The grids of experiments/real.py, a script beside the package; the planning of one draw is a slow test."""

from argparse import Namespace

import pytest

from mass_nnunet import trainers
from mass_nnunet.data.files import read_json
from mass_nnunet.data.raw import TEST, TRAINING, RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from quick_planning import plan_quickly
from scored_grid import make_scores, write_cell
from scripts import load_script


@pytest.fixture
def real():
    return load_script("real")


def arguments(root, source, **changes):
    """Options of the script, as its parser gives them."""
    options = {
        "root": root,
        "source": source,
        "size": "tiny",
        "draws": (0,),
        "methods": ("SupervisedTrainer", "MASSTrainer"),
        "stock": False,
        "long": (),
        "inference": ("segmentation",),
        "label_rates": (1.0, 0.5),
        "unlabelled": None,
        "seeds": 1,
        "device": None,
        "jobs": 1,
        "np": 1,
        "prepare_only": False,
    }
    return Namespace(**options | changes)


def test_every_default_method_is_a_trainer(real):
    assert set(real.METHODS) <= set(trainers.__all__)


def test_stock_and_longer_runs_are_methods_of_the_grid(real, tmp_path):
    args = arguments(tmp_path, tmp_path, stock=True, long=("MASSTrainer", "stock"))
    grid = real.grid_of("heart", 1, args)
    assert grid.datasets == (841, 842)
    assert grid.methods == ("SupervisedTrainer", "MASSTrainer", "stock", "MASSTrainer_long", "stock_long")
    assert grid.label_rates == (0.5, 1.0)
    assert grid.method("stock").plans == "nnUNetPlans" and grid.method("stock").epochs is None
    assert grid.method("stock_long").epochs == 5 * real.SIZES["tiny"].epochs
    assert grid.method("MASSTrainer_long").plans == "MASSPlansLong"


@pytest.mark.slow
def test_a_draw_is_planned_once_and_its_cells_are_pooled(real, source, tmp_path, monkeypatch, capsys):
    ran = []

    def run_quickly(jobs, workers, retries):
        """Scores that a real run might leave."""
        ran.extend(job.cell for job in jobs)
        for job in jobs:
            scores = make_scores(job.grid, job.cell, 2, ("CT", "MRI"), ("liver",))
            write_cell(job.grid, job.cell, scores, inputs=job.inputs)

    monkeypatch.setattr(real, "run_local", run_quickly)
    plan_quickly(monkeypatch)
    args = arguments(tmp_path / "work", source, long=("MASSTrainer",))
    for _ in range(2):
        real.run_draws("abdomen", args)
    assert capsys.readouterr().out.count("wrote") >= 2
    assert [cell.label_rate for cell in ran[:6]] == [0.5] * 3 + [1.0] * 3
    with real.nnunet_folders(tmp_path / "work" / "abdomen"):
        raw = RawDataset.load(801)
        assert (len(raw.cases(TRAINING)), len(raw.cases(TEST)), raw.labels) == (4, 2, LABELS)
        plans = read_json(tmp_path / "work/abdomen/preprocessed/Dataset802_CHAOS/MASSPlansLong.json", "")
        assert (plans["mass"]["epochs"], plans["plans_name"]) == (5, "MASSPlansLong")
    page = tmp_path / "work" / "abdomen" / "pooled" / "report.html"
    assert "1 draws, each tested on other patients" in page.read_text(encoding="utf-8")
    with pytest.raises(UserError, match="was planned with other options: name another folder"):
        real.prepare("abdomen", 0, arguments(tmp_path / "work", source, seeds=2))
