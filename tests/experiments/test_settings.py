"""The settings of experiments/settings.py, a script beside the package: which labels each training knows."""

import nibabel
import numpy as np
import pytest

from mass_nnunet import trainers
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.outside import outside_labels
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.splits import load_fold
from mass_nnunet.labels import LABELS
from scripts import load_script
from tiny_raw import write_raw_dataset

NAMES = ("Dataset801_CT", "Dataset802_MR")
ORGANS = tuple(LABELS)[1:]


@pytest.fixture
def settings():
    return load_script("settings")


@pytest.fixture
def source(tmp_path):
    """A group as low_label.py leaves it; of the plans there is what the script reads."""
    source = tmp_path / "group"
    for name, channel in zip(NAMES, ("CT", "MRI"), strict=True):
        cases = [f"{channel.lower()}{number}" for number in range(9)]
        patients = {case: case for case in [*cases, "test"]}
        write_raw_dataset(source / "raw", name, channel, cases, test=["test"], patients=patients)
        plans = {"configurations": {"3d_fullres": {"spacing": [6.0, 2.0, 2.0]}}}
        write_json(source / "preprocessed" / name / "MASSPlans.json", plans)
    write_json(source / "planned.json", ["--features", 4])
    return source


@pytest.fixture
def prepare(settings, source, tmp_path, monkeypatch):
    """Prepare a setting; its folder, the folds of both datasets, and the words of ``plan``, where it was planned."""

    def prepare(name):
        planned = []

        def run(*words):
            planned.append(words) if words[0] == "plan" else split(*words)

        split = settings.run
        monkeypatch.setattr(settings, "run", run)
        folder = tmp_path / "work" / f"{name}_0"
        settings.prepare(source, folder, settings.SETTINGS[name], 0, 1)
        used = [each for each in NAMES if (folder / "preprocessed" / each).exists()]
        return folder, [load_fold(folder / "preprocessed" / each, 0) for each in used], planned

    return prepare


def test_each_method_is_a_trainer(settings):
    assert {method for setting in settings.SETTINGS.values() for method in setting.methods} <= set(trainers.__all__)


def test_a_third_of_the_organs_is_removed_and_each_scan_keeps_one(settings):
    cases = [f"case{number}" for number in range(12)]
    known = settings.known_organs(cases, ORGANS, 0)
    assert sum(len(ORGANS) - len(names) for names in known.values()) == 12 * 4 // 3
    assert all(0 < len(names) < len(ORGANS) for names in known.values())
    assert known == settings.known_organs(cases, ORGANS, 0) != settings.known_organs(cases, ORGANS, 1)


def test_a_modality_without_labels_has_the_same_labels_in_the_other(prepare):
    _, (ct, mri), planned = prepare("mri-unlabelled")
    _, (same, _), _ = prepare("both")
    assert (ct, mri.train, planned) == (same, (), [])


def test_one_modality_is_planned_on_the_grid_of_the_group(prepare):
    _, (mri,), planned = prepare("mri-alone")
    _, (_, same), _ = prepare("both")
    assert mri == same
    assert planned == [("plan", "-d", "802", "--spacing", 6.0, 2.0, 2.0, "--features", 4, "-np", 1)]


def test_partial_and_dropped_scans_are_those_of_complete_labels(prepare):
    _, whole, _ = prepare("complete")
    folder, partial, _ = prepare("partial")
    _, dropped, _ = prepare("dropped")
    for one, some, less, name in zip(whole, partial, dropped, NAMES, strict=True):
        assert some.train == one.train and some.val == one.val and some.annotated
        assert dict(some.annotated) == {
            case: tuple(names) for case, names in read_json(folder / "raw" / name / "annotated.json", "").items()
        }
        assert set(less.train) == set(one.train) - set(some.annotated)
        assert set(less.unlabelled) == set(one.unlabelled) | set(some.annotated)


def test_an_outside_teacher_labels_the_scans_that_the_fold_hides_and_no_other(prepare, settings, source):
    folder, (fold, _), planned = prepare("teacher-incomplete")
    _, (same, _), _ = prepare("both")
    assert fold == same and planned
    dataset = RawDataset.read(folder / "raw" / NAMES[0])
    assert set(dataset.cases(UNLABELLED)) == set(fold.unlabelled) == set(outside_labels(dataset))
    assert set(dataset.cases(TRAINING)) == {*fold.train, *fold.val} and dataset.content["numTraining"] == 2
    true = RawDataset.read(source / "raw" / NAMES[0])
    for case, path in outside_labels(dataset).items():
        assert dataset.label(TRAINING, case) is None
        made, truth = (np.asarray(nibabel.load(file).dataobj) for file in (path, true.label(TRAINING, case)))
        assert set(np.unique(made)) == {0, 2, 3, 4}
        assert (made == np.where(truth == LABELS[settings.MISSING], 0, truth)).all()
    assert true.content["numTraining"] == 9  # the group stays as it was


def test_shifted_labels_are_two_voxels_off(settings, monkeypatch):
    monkeypatch.setattr(settings, "SHIFT", 4.0)
    labels = np.zeros((6, 6, 3), np.uint8)
    labels[1, 2, 1] = 4
    assert np.argwhere(settings.shifted((labels, (2.0, 4.0, 1.0)))).tolist() == [[3, 3, 1]]


def test_an_interrupted_preparation_begins_anew_and_a_finished_one_stays(prepare, settings, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(settings, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare("teacher-shifted")
    folder, folds, planned = prepare("teacher-shifted")
    assert planned and len(outside_labels(RawDataset.read(folder / "raw" / NAMES[1]))) == len(folds[1].unlabelled)
    assert prepare("teacher-shifted")[2] == []


def test_the_script_runs_each_setting_and_prints_the_table(settings, source, tmp_path, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(settings, "run", lambda *words: ran.append(words))
    monkeypatch.setattr(settings, "prepare", lambda *_: None)
    root = tmp_path / "work"
    options = ["--settings", "mri-alone", "complete", "--draw", "1"]
    monkeypatch.setattr("sys.argv", ["settings.py", str(source), str(root), *options])
    settings.main()
    folders = [root / f"{name}_1" / "benchmark" for name in ("mri-alone", "complete")]
    assert ran == [("benchmark", "run", folder) for folder in folders]
    assert "seeds: [1]" in (folders[0] / "last_grid.yaml").read_text()
    assert "no cell is done yet" in capsys.readouterr().out
