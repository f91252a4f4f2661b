"""experiments/quality_intervals.py: the rules for the width, and what they hold where it can be known."""

import pickle
import sys

import numpy as np
import pytest

from mass_nnunet.quality.calibration import Sample
from scripts import EXPERIMENTS, load_script


@pytest.fixture(scope="module")
def script():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS))
        return load_script("quality_intervals")


def test_rules(script):
    residuals = [np.arange(1, 11) / 10, np.arange(1, 11) / 5]
    assert script.width(residuals, "widest patient") == pytest.approx(1.8)
    assert script.width(residuals, "pooled") == pytest.approx(1.6)
    assert script.width(residuals, "pooled, corrected") == pytest.approx(2.0)


def test_all_but_one_scan_or_random_ones_calibrate(script):
    assert list(script.subsets(3, 2)) == [[1, 2], [0, 2], [0, 1]]
    drawn = list(script.subsets(9, 4))
    assert len(drawn) == script.DRAWS
    assert all(len(set(one)) == 4 and max(one) < 9 for one in drawn)


def samples(scans=8, each=60):
    rng, found = np.random.default_rng(0), []
    for scan in range(scans):
        for _ in range(each):
            value = rng.uniform(0.2, 0.95)
            features = np.clip(value + rng.normal(0, 0.08, 5), 0, 1)
            found.append(Sample(features, value, f"p{scan}", 0.6, False))
    return found


def test_pooled_intervals_hold_what_they_say_and_others_more(script):
    found = script.tried(samples(), 6).xs(0.3, level="scale")
    assert 0.86 < found.loc["pooled", "held"] < 0.94
    assert found.loc["pooled", "width"] < found.loc["widest patient", "width"]
    assert found.loc["pooled, corrected", "held"] > 0.97


def test_a_table_for_each_number_of_scans(script, tmp_path, monkeypatch, capsys):
    for scan in range(5):
        file = tmp_path / f"synthetic_{scan}.pkl"
        file.write_bytes(pickle.dumps(([one for one in samples(5, 20) if one.patient == f"p{scan}"], [])))
    monkeypatch.setattr(script, "DRAWS", 2)
    monkeypatch.setattr(sys, "argv", ["quality_intervals.py", str(tmp_path)])
    script.main()
    printed = capsys.readouterr().out
    assert "3 of 5 annotated patients calibrate" in printed and "4 of 5" in printed and "6 of 5" not in printed
    assert printed.count("widest patient") == 2
    for scan in (2, 3, 4):
        (tmp_path / f"synthetic_{scan}.pkl").unlink()
    with pytest.raises(SystemExit, match="of 2 patients: three are needed"):
        script.main()
    monkeypatch.setattr(sys, "argv", ["quality_intervals.py", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"none holds no synthetic_\*.pkl"):
        script.main()
