"""planners/apart.py: stock nnU-Net plans after ``mass_nnunet plan`` as in a fresh folder."""

import json
import shutil
from pathlib import Path

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprint_dataset, plan_experiment_dataset

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from mass_nnunet.planners.apart import FINGERPRINT, NNUNET_FINGERPRINT, apart
from quick_planning import plan_quickly
from tiny_raw import write_raw_dataset

CT, MRI = "Dataset801_CTS", "Dataset802_MRS"
PLAN = ["plan", "-d", "801", "802", "--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4", "-np", "1"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two raw datasets."""
    write_raw_dataset(tmp_path / "raw", CT, "CT", ["ct0", "ct1"], ["ct2"])
    write_raw_dataset(tmp_path / "raw", MRI, "MRI", ["mr0", "mr1"], ["mr2"], seed=1)
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    plan_quickly(monkeypatch)
    # Stock nnU-Net builds networks to estimate their memory, which takes longer than all the rest.
    monkeypatch.setattr(ExperimentPlanner, "static_estimate_VRAM_usage", staticmethod(lambda *_, **__: 1.0))
    return tmp_path


def stock_plans(root: Path) -> dict:
    """What ``nnUNetv2_plan_and_preprocess`` plans, which extracts a fingerprint only where there is none."""
    extract_fingerprint_dataset(801, num_processes=1, clean=False)
    plan_experiment_dataset(801)
    return read_json(root / "preprocessed" / CT / "nnUNetPlans.json", "")


@pytest.mark.parametrize("options", [[], ["--no-preprocess"]])
def test_stock_plans_are_those_of_a_fresh_folder(root, options):
    fresh = stock_plans(root)
    shutil.rmtree(root / "preprocessed")
    assert main([*PLAN, *options]) == 0
    folder = root / "preprocessed" / CT
    assert (folder / NNUNET_FINGERPRINT).is_file() == (not options)
    assert stock_plans(root) == fresh
    intensities = [
        read_json(folder / name, "")["foreground_intensity_properties_per_channel"]["0"]["mean"]
        for name in (FINGERPRINT, NNUNET_FINGERPRINT)
    ]
    assert intensities[0] != pytest.approx(intensities[1], abs=5), "else this test could not fail"
    ours = read_json(folder / "MASSPlans.json", "")
    assert ours["foreground_intensity_properties_per_channel"]["0"]["mean"] == intensities[0]


def test_what_nnunet_writes_apart_is_gone(root):
    (root / "preprocessed").mkdir()
    with apart(CT) as folder:
        extract_fingerprint_dataset(801, num_processes=1)
        assert json.loads((folder / NNUNET_FINGERPRINT).read_text())
    assert not folder.exists()
    assert not list((root / "preprocessed").iterdir())
