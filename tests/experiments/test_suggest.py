"""The simulation of experiments/suggest.py, a script beside the package, with models and trainings that are made up."""

import json

import numpy as np
import pandas as pd
import pytest

from exported_scans import CASES, write_pair
from mass_nnunet.annotation.pool import load_pools
from mass_nnunet.api import Uncertainty
from scripts import load_script
from tiny_group import CT, MRI, entry, use_folders


@pytest.fixture
def script():
    return load_script("suggest")


@pytest.fixture
def strategies():
    return load_script("suggest_strategies")


@pytest.fixture
def pair(tmp_path, monkeypatch):
    use_folders(monkeypatch, tmp_path)
    write_pair(tmp_path)
    return tmp_path


class FakeModel:
    """Less sure of scans that are brighter."""

    branch, labels = "segmentation", {0: "background", 1: "liver"}

    def uncertainty(self, images, branches):
        import SimpleITK as sitk

        bright = float(sitk.GetArrayViewFromImage(images[0]).mean()) + 1100
        spread = np.full((2, 2, 2), bright / 1e4)
        return Uncertainty(spread, spread, np.stack([spread, 1 - spread]), (1.0, 1.0, 1.0))


@pytest.fixture
def simulation(script, pair, monkeypatch, tmp_path):
    """A simulation in which each annotated scan is worth 0.05."""
    one = script.Simulation(tmp_path / "simulation", [801, 802], "MASSTrainer", "cpu")
    one.begin()
    for variable, value in one.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(one, "models", lambda _: lambda _: FakeModel())
    monkeypatch.setattr(one, "dice", lambda fold, _: 0.05 * one.annotated(fold))
    return one


def test_each_strategy_has_folds_of_its_own_and_the_splits_stay(script, simulation, pair):
    before = (pair / "preprocessed" / CT / "splits_final.json").read_text()
    curves = script.simulate(simulation, [0], list(script.STRATEGIES), 2, 2)
    assert curves.groupby("strategy")["annotated"].apply(list).to_dict() == {
        name: [2, 4, 6] for name in script.STRATEGIES
    }
    assert (pair / "preprocessed" / CT / "splits_final.json").read_text() == before
    record = json.loads(simulation.record.read_text())
    assert [one["fold"] for one in record.values()] == list(range(2, 2 + 2 * len(script.STRATEGIES)))
    hidden = {(name, case) for name in (CT, MRI) for case in set(entry(pair, name)["unlabelled"]) & set(CASES[name])}
    chosen = [tuple(scan) for one in record.values() for scan in one["chosen"]]
    assert set(chosen) <= hidden, "a scan of which nobody knows a label cannot be annotated"
    for strategy in script.STRATEGIES:
        its = [tuple(scan) for key, one in record.items() if f"_{strategy}_" in key for scan in one["chosen"]]
        assert len(set(its)) == 4
    assert len(pd.read_csv(simulation.root / "curves.csv")) == 3 * len(script.STRATEGIES)
    # Started again it chooses nothing anew, also where a killed run has left a fold too many.
    file = simulation.root / "preprocessed" / CT / "splits_final.json"
    file.write_text(json.dumps([*json.loads(file.read_text()), {}]))
    again = script.simulate(simulation, [0], list(script.STRATEGIES), 2, 2)
    assert again.equals(curves)
    assert json.loads(simulation.record.read_text()) == record
    longer = script.simulate(simulation, [0], ["random"], 3, 2)
    assert longer["annotated"].tolist() == [2, 4, 6, 8]
    assert len(json.loads(file.read_text())) == 2 + len(record) + 1


def test_strategies_choose_what_they_say(strategies, simulation):
    pools = [strategies.hidden(pool) for pool in load_pools([801, 802], 0)]
    models, rng = simulation.models(0), np.random.default_rng(0)
    scans, values = strategies.everything(pools), strategies.entropies(pools, models)
    order = [scans[i] for i in np.argsort(-values)]
    assert strategies.by_entropy(pools, models, 3, rng) == order[:3]
    assert len(set(strategies.by_power(pools, models, 3, rng))) == 3
    assert strategies.by_power(pools, models, 99, rng) != order
    assert set(strategies.by_k_centre(pools, models, 99, rng)) == set(scans)


def test_the_share_of_annotations_is_interpolated(script):
    rows = [("random", n, d) for n, d in ((2, 0.5), (4, 0.6), (6, 0.7))]
    rows += [("good", n, d) for n, d in ((2, 0.5), (4, 0.8), (6, 0.8))]
    rows += [("bad", n, d) for n, d in ((2, 0.5), (4, 0.5), (6, 0.6))]
    curves = pd.DataFrame(rows, columns=["strategy", "annotated", "dice"])
    assert script.needed(curves, "good") == pytest.approx((2 + 2 * 0.2 / 0.3) / 6)
    assert script.needed(curves, "random") == 1
    assert script.needed(curves, "bad") is None
    text = script.report(curves)
    assert "more than 1" in text
    assert "0.56" in text
    assert "share" not in script.report(curves[curves["strategy"] != "random"])
