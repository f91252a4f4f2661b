"""The draws and grids of experiments/real.py, a script beside the package; the planning of one draw is a slow test."""

from argparse import Namespace

import numpy as np
import pytest

from mass_nnunet import trainers
from mass_nnunet.data.files import read_json
from mass_nnunet.data.raw import TEST, TRAINING, RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from scored_grid import make_scores, write_cell
from scripts import load_script
from tiny_raw import make_scan, write_scan

BTCV = {0: 0, 1: 1, 2: 2, 3: 3, 4: 6}  # our labels as those of the files
CHAOS = {0: 0, 4: 1, 2: 2, 3: 3, 1: 4}


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
        "seeds": 1,
        "device": None,
        "jobs": 1,
        "np": 1,
        "prepare_only": False,
    }
    return Namespace(**options | changes)


@pytest.fixture
def source(tmp_path):
    """Files as those of shared/data: six patients of each sequence."""
    rng = np.random.default_rng(0)
    for folder, channel, table in (("btcv_ct", "CT", BTCV), ("chaos_t2_mr", "MRI", CHAOS)):
        for number in range(1, 7):
            image, label = make_scan(channel, (8, 24, 24), rng)
            values = np.vectorize(table.get)(label).astype(np.uint8)
            for kind, array in (("image", image), ("label", values)):
                write_scan(tmp_path / "data" / folder / f"{kind}_{number:02}.nii.gz", array, (6.0, 2.0, 2.0))
    return tmp_path / "data"


def test_every_default_method_is_a_trainer(real):
    assert set(real.METHODS) <= set(trainers.__all__)


def test_each_patient_is_tested_in_one_draw(real, source):
    cases = real.PAIRS["abdomen"].parts[0].find(source)
    tested = [{case.patient for case in real.draw(cases, number) if case.part is TEST} for number in range(real.DRAWS)]
    assert [len(part) for part in tested] == [2, 2, 2]
    assert set().union(*tested) == {case.patient for case in cases}


def test_the_two_sequences_of_hearts_are_of_different_patients(real, tmp_path):
    for sequence in ("bSSFP", "LGE"):
        for number in range(1, 31):
            file = tmp_path / "cardiac_mr" / sequence / f"label_{number:02}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    found = [{case.patient for case in part.find(tmp_path)} for part in real.PAIRS["heart"].parts]
    assert [len(patients) for patients in found] == [15, 15]
    assert not found[0] & found[1]


def test_ids_of_datasets_are_all_different(real):
    ids = [ident for pair in real.PAIRS.values() for number in range(real.DRAWS) for ident in pair.ids(number)]
    ids += [ident + real._UNMARKED for number in range(real.DRAWS) for ident in real.PAIRS["heart"].ids(number)]
    assert len(ids) == len(set(ids)) == 18


def test_stock_and_longer_runs_are_methods_of_the_grid(real, tmp_path):
    args = arguments(tmp_path, tmp_path, stock=True, long=("MASSTrainer", "stock"))
    grid = real.grid_of("heart", 1, args)
    assert grid.datasets == (841, 842)
    assert grid.methods == ("SupervisedTrainer", "MASSTrainer", "stock", "MASSTrainer_long", "stock_long")
    assert grid.label_rates == (0.5, 1.0)
    assert grid.method("stock").plans == "nnUNetPlans" and grid.method("stock").epochs is None
    assert grid.method("stock_long").epochs == 5 * real.SIZES["tiny"].epochs
    assert grid.method("MASSTrainer_long").plans == "MASSPlansLong"


def test_too_few_scans_are_said(real, tmp_path, monkeypatch):
    with real.nnunet_folders(tmp_path / "abdomen"), pytest.raises(UserError, match="0 scans of BTCV: name the folder"):
        real.prepare("abdomen", 0, arguments(tmp_path, tmp_path))


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
