"""Stock nnU-Net's plans by experiments/stock_plans.py, a script beside the package."""

import pytest

from mass_nnunet.data.raw import RawDataset
from scripts import load_script
from tiny_raw import write_raw_dataset


@pytest.mark.parametrize(
    ("preprocessed", "is_planned"), [(None, True), ([], True), (["a"], True), (["a", "b"], False), (["a", "c"], True)]
)
def test_a_dataset_is_planned_again_until_all_scans_are_preprocessed(tmp_path, monkeypatch, preprocessed, is_planned):
    stock_plans = load_script("stock_plans")
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    raw = RawDataset.read(write_raw_dataset(tmp_path / "raw", "Dataset801_CTS", "CT", ["a", "b"], ["un"], ["t"]))
    if preprocessed is not None:
        arrays = tmp_path / "preprocessed" / raw.name / "nnUNetPlans_3d_fullres"
        arrays.mkdir(parents=True)
        for case in preprocessed:
            (arrays / f"{case}.pkl").touch()
    done = []
    for step in ("extract_fingerprints", "plan_experiments", "preprocess"):
        monkeypatch.setattr(stock_plans, step, lambda ids, *_, step=step, **__: done.append((step, ids)))
    stock_plans.plan_stock([raw], 1)
    steps = [(step, [801]) for step in ("extract_fingerprints", "plan_experiments", "preprocess")]
    assert done == (steps if is_planned else [])
