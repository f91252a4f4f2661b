"""mass_nnunet plan, as it is typed: what it refuses."""

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.planners import planning
from mass_nnunet.planners.presets import PRESETS
from mass_nnunet.runtime.lock import Lock
from planned_pair import COMMAND, GROUP, NAMES, plans_of
from quick_planning import plan_quickly
from refused_input import messages
from tiny_raw import write_raw_dataset, write_scan


def test_options(monkeypatch):
    asked = []
    monkeypatch.setattr(planning, "plan", asked.append)
    assert main(GROUP) == 0
    (args,) = asked
    assert (args.d, args.spacing, args.patch_size) == ([801, 802], ["native"], None)
    assert (args.epochs, args.iterations) == (1000, 250)
    for preset in PRESETS:
        assert main([*GROUP, "--preset", preset]) == 0
        assert asked[-1].preset == preset


@pytest.mark.parametrize("option", ["--features", "--batch-size", "--epochs", "--iterations", "-np"])
def test_options_must_be_positive(root, option, capsys):
    assert main(["plan", "-d", "801", "802", option, "0"]) == 2
    assert f"{option} must be at least 1" in capsys.readouterr().err


def test_a_patch_that_the_strides_do_not_divide(root, capsys):
    before = [plans["configurations"] for plans in plans_of(root)]
    assert main([*GROUP, "--spacing", "fit", "--patch-size", "8", "17", "30", "-np", "1"]) == 2
    assert "--patch-size 8 17 30 is not what the network's strides divide: use 8 20 32" in capsys.readouterr().err
    assert [plans["configurations"] for plans in plans_of(root)] == before


def test_a_spacing_that_is_none_is_refused_before_anything_is_read(capsys):
    assert main(["plan", "-d", "801", "802", "--spacing", "5", "-1", "2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_slices_along_different_axes_are_refused(tmp_path, monkeypatch, capsys):
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    plan_quickly(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0"], shape=(24, 6, 24), spacing=(2.0, 7.0, 2.0))
    assert main(COMMAND) == 2
    error = capsys.readouterr().err
    assert (
        f"stacked along z in 2 of the 3 scans of the group, but along y in 1 of the 1 scans of {NAMES[1]} (mr0)"
        in error
    )
    assert not list((tmp_path / "preprocessed").rglob("MASSPlans.json"))


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Two raw datasets that are not planned yet."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    plan_quickly(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1", "ct2"], ["ct3"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0", "mr1"], ["mr2"], seed=1)
    return tmp_path / "raw"


def refusal(capsys, words: tuple[str, ...] = ("--no-preprocess",)) -> str:
    """The line by which a plan is refused, which makes no dataset's folder."""
    capsys.readouterr()
    assert main([*COMMAND, *words]) == 2
    (line,) = messages(capsys.readouterr().err)
    return line


@pytest.mark.parametrize("scan", ["imagesTr/mr1", "imagesUn/mr2"])
def test_a_scan_that_is_not_finite_is_named(raw, capsys, scan):
    file = raw / NAMES[1] / f"{scan}_0000.nii.gz"
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(file))).astype(np.float32)
    values[3:5] = np.nan
    write_scan(file, values, (6.0, 2.0, 2.0))
    assert f"{file} holds values that are not finite (NaN or infinity): repair or remove it" in refusal(capsys)
    assert not list((raw.parent / "preprocessed" / NAMES[1]).glob("*"))


def test_a_scan_that_is_cut_short_is_named(raw, capsys):
    file = raw / NAMES[0] / "imagesUn" / "ct3_0000.nii.gz"
    file.write_bytes(file.read_bytes()[:-100])
    assert f"{file} cannot be read (" in refusal(capsys)
    assert not (raw.parent / "preprocessed" / NAMES[0]).exists()


def test_splits_that_are_older_than_the_dataset(raw, capsys):
    assert main(["split", "-d", "801", "802"]) == 0
    new = raw / NAMES[0] / "imagesUn" / "new_0000.nii.gz"
    new.write_bytes((raw / NAMES[0] / "imagesUn" / "ct3_0000.nii.gz").read_bytes())
    line = refusal(capsys)
    assert f"1 scan of {raw / NAMES[0]} (new) not in fold 0 of" in line and "run `mass_nnunet split` again" in line
    new.unlink()
    (raw / NAMES[0] / "imagesTr" / "ct1_0000.nii.gz").unlink()
    assert "has ct1, not in imagesTr" in refusal(capsys)


def test_a_second_plan_of_a_dataset_is_refused(raw, capsys):
    folder = raw.parent / "preprocessed" / NAMES[1]
    with Lock.take(folder, tidy=True):
        assert (
            f"{folder} belongs to another `mass_nnunet plan` or `annotate-in`: start again when that has ended"
            in refusal(capsys)
        )
    assert not (raw.parent / "preprocessed" / NAMES[0]).exists()


def test_nothing_is_preprocessed_while_a_training_of_the_group_runs(raw, capsys, monkeypatch):
    """It reads the arrays that would be replaced."""
    monkeypatch.setenv("nnUNet_results", str(raw.parent / "results"))
    fold = raw.parent / "results" / NAMES[1] / "MASSTrainer__MASSPlans__3d_fullres" / "fold_0"
    with Lock.take(fold, tidy=True):
        assert f"{fold} belongs to another training: start again when that has ended" in refusal(capsys, ())
        assert not (raw.parent / "preprocessed" / NAMES[0]).exists()
        assert main([*COMMAND, "--no-preprocess"]) == 0
