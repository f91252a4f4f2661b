"""Predictions of another tool: what is wrong with them is said before anything runs."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
import SimpleITK as sitk

from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.run import external as externals
from mass_nnunet.benchmark.run.cell import do_cell
from mass_nnunet.benchmark.run.entries import External
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.runner import work
from mass_nnunet.benchmark.run.state import DONE, FAILED, read_record, state
from mass_nnunet.data.files import write_json
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from planned_grid import write_planned
from region_group import REGIONS, give_regions
from tiny_group import CT, MRI


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """A planned grid with the predictions of a tool, which are the truth but for a corner."""
    grid = write_planned(tmp_path, monkeypatch)
    for name in (CT, MRI):
        shutil.copytree(tmp_path / "raw" / name / "labelsTs", tmp_path / "tool" / name)
        edit(prediction(tmp_path, name), lambda label: mark(label, 1))
    return replace(grid, methods=("SupervisedTrainer",), external=(External("Tool", tmp_path / "tool"),))


def prediction(root, name=CT):
    return root / "tool" / name / f"{'CT' if name == CT else 'MRI'}t.nii.gz"


def edit(file, change):
    image = sitk.ReadImage(str(file))
    sitk.WriteImage(change(image) or image, str(file))


def mark(label, value, where=(0, 0, 0)):
    label[where] = value


def jobs_of(grid, name="Tool"):
    return [job for job in make_jobs(grid) if job.cell.method == name]


def refused(grid) -> str:
    with pytest.raises(UserError) as error:
        make_jobs(grid)
    assert "\n" not in str(error.value)
    return str(error.value)


def run(grid):
    work(jobs_of(grid), 1)


def scores(job):
    return pd.read_csv(job.folder / "scores.csv", dtype={"case": str})


def test_they_stand_for_every_label_rate_and_seed_and_come_first(grid):
    jobs = make_jobs(grid)
    assert [job.cell.method for job in jobs] == ["Tool"] * 4 + ["SupervisedTrainer"] * 4
    assert len({job.inputs for job in jobs[:4]}) == 1
    assert [job.fold for job in jobs[:4]] == [job.fold for job in jobs[4:]]
    assert jobs[0].trainings == [] and jobs[0].inferences == ("segmentation",)


def test_they_are_scored_once_and_stand_in_every_cell(grid, monkeypatch):
    calls = []
    score = externals.score_test_scans
    monkeypatch.setattr(externals, "score_test_scans", lambda *words: calls.append(words) or score(*words))
    run(grid)
    jobs = jobs_of(grid)
    assert [state(job.folder) for job in jobs] == [DONE] * 4
    assert len(calls) == 2  # a dataset each
    tables = [scores(job) for job in jobs]
    for job, table in zip(jobs, tables, strict=True):
        assert set(table["label_rate"]) == {job.cell.label_rate} and set(table["seed"]) == {job.cell.seed}
        same = ["label_rate", "seed"]
        pd.testing.assert_frame_equal(table.drop(columns=same), tables[0].drop(columns=same), check_exact=True)
    spleen = tables[0][(tables[0]["organ"] == "spleen") & (tables[0]["modality"] == "CT")].iloc[0]
    voxels = round(spleen["truth_ml"] / (6 * 2 * 2 / 1000))
    assert spleen["dice"] == pytest.approx(2 * voxels / (2 * voxels + 1))
    assert load_results(grid).methods == ["Tool"]


def test_a_tool_that_was_trained_on_each_split_has_a_folder_for_each(grid, tmp_path):
    for split in ("0.25_0", "0.25_1", "1_0", "1_1"):
        shutil.copytree(tmp_path / "tool" / CT, tmp_path / "splits" / split / CT)
    edit(tmp_path / "splits" / "1_1" / CT / "CTt.nii.gz", lambda label: mark(label, 2, (1, 0, 0)))
    grid = replace(grid, external=(External("Tool", tmp_path / "splits"),))
    run(grid)
    dice = {job.cell.name: scores(job)["dice"].mean() for job in jobs_of(grid)}
    assert dice["Tool_0.25_0"] == dice["Tool_0.25_1"] == dice["Tool_1_0"] > dice["Tool_1_1"]
    shutil.rmtree(tmp_path / "splits" / "1_0")
    assert "splits/1_0 does not exist: put its predictions for label rate 1 and seed 0 there" in refused(grid)


def test_a_dataset_without_subfolder_was_not_predicted(grid, tmp_path):
    shutil.rmtree(tmp_path / "tool" / MRI)
    run(grid)
    assert set(scores(jobs_of(grid)[0])["modality"]) == {"CT"}


def test_other_values_are_translated_and_the_rest_is_background(grid, tmp_path):
    table = {0: 0, 1: 11, 2: 12, 3: 13, 4: 15}

    def renumber(label):
        values = sitk.GetArrayFromImage(label)
        renamed = sitk.GetImageFromArray(sum((values == old) * new for old, new in table.items()).astype("uint8"))
        renamed.CopyInformation(label)
        mark(renamed, 99, (1, 1, 0))
        return renamed

    run(grid)
    before = scores(jobs_of(grid)[0])
    for name in (CT, MRI):
        edit(prediction(tmp_path, name), renumber)
    labels = {"spleen": 11, "right_kidney": 12, "left_kidney": (13, 14), "liver": 15}
    grid = replace(grid, external=(External("Tool", tmp_path / "tool", labels),))
    run(grid)
    pd.testing.assert_frame_equal(scores(jobs_of(grid)[0]), before)
    for wrong, text in (("liver", "lack liver"), ("tail", "have tail")):
        other = {k: v for k, v in labels.items() if k != wrong} | ({"tail": 9} if wrong == "tail" else {})
        text = f"external Tool: its labels {text}: name the values of left_kidney, liver"
        assert refused(replace(grid, external=(External("Tool", tmp_path / "tool", other),))).startswith(text)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda root: remove(root / "tool"), "tool is no folder: name the folder of its predictions"),
        (
            lambda root: (remove(root / "tool" / CT), remove(root / "tool" / MRI)),
            f"tool has no predictions: the subfolders are named as the datasets, {CT}, {MRI}",
        ),
        (
            lambda root: (root / "tool" / CT).rename(root / "tool" / "Dataset801_BTCV"),
            "tool/Dataset801_BTCV is of no dataset: rename or remove it",
        ),
        (lambda root: (root / "tool" / "CT").mkdir(), "tool/CT is of no dataset: rename or remove it"),
        (lambda root: remove(prediction(root)), "CTt.nii.gz is missing: predict all scans of "),
        (
            lambda root: (remove(prediction(root)), prediction(root).symlink_to("gone")),
            "CTt.nii.gz is a broken link: repair or remove it",
        ),
        (
            lambda root: shutil.copy(root / "raw" / MRI / "labelsTs" / "MRIt.nii.gz", prediction(root, MRI)),
            "MRIt.nii.gz is the true label map: name the folder of the tool's predictions",
        ),
        (
            lambda root: write_json(root / "tool" / CT / "dataset.json", {"labels": LABELS | {"liver": 5}}),
            "dataset.json: give its `labels` in the grid",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(grid, tmp_path, damage, text):
    damage(tmp_path)
    line = refused(grid)
    assert line.startswith("external Tool: ") or "broken link" in line
    assert text in line


def test_a_folder_of_another_grid_and_the_tools_own_dataset_json_do_no_harm(grid, tmp_path):
    (tmp_path / "tool" / "Dataset811_Other").mkdir()
    (tmp_path / "tool" / ".cache").mkdir()
    write_json(tmp_path / "tool" / CT / "dataset.json", {"labels": LABELS | {"ignore": 5}})
    assert len(jobs_of(grid)) == 4


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda label: label[1:], "is not on the grid of"),
        (lambda label: mark(label, 9), "CTt.nii.gz has value 9, which dataset.json does not name"),
        (lambda label: label.SetOrigin((5, 5, 5)), "is not on the grid of"),
    ],
)
def test_a_prediction_that_is_wrong_fails_its_cells_until_it_is_mended(grid, tmp_path, change, text):
    edit(prediction(tmp_path), change)
    run(grid)
    folder = jobs_of(grid)[0].folder
    record = read_record(folder)
    assert record["state"] == FAILED and record["failures"] == 2
    assert text in record["error"] and str(prediction(tmp_path)) in record["error"] and "\n" not in record["error"]
    run(grid)
    assert read_record(folder)["failures"] == 2
    shutil.copy(tmp_path / "raw" / CT / "labelsTs" / "CTt.nii.gz", prediction(tmp_path))
    edit(prediction(tmp_path), lambda label: mark(label, 1))
    run(grid)
    assert read_record(folder)["state"] == DONE and read_record(folder)["failures"] == 0


def test_they_are_scored_again_when_a_file_changes_and_left_out_until_then(grid, tmp_path):
    run(grid)
    before = scores(jobs_of(grid)[0])
    starts = [read_record(job.folder)["start"] for job in jobs_of(grid)]
    run(grid)
    assert [read_record(job.folder)["start"] for job in jobs_of(grid)] == starts
    edit(prediction(tmp_path), lambda label: mark(label, 3, (1, 0, 0)))
    with pytest.raises(UserError, match="no cell that is done"):
        load_results(grid, make_jobs(grid))
    run(grid)
    after = scores(jobs_of(grid)[0])
    changed = before["dice"].ne(after["dice"])
    assert after[changed][["organ", "modality"]].values.tolist() == [["left_kidney", "CT"]]
    edit(tmp_path / "raw" / MRI / "labelsTs" / "MRIt.nii.gz", lambda label: mark(label, 3, (1, 1, 0)))  # the truth
    run(grid)
    assert not scores(jobs_of(grid)[3])["dice"].equals(after["dice"])


def test_what_changes_while_it_is_scored_is_not_half_taken(grid, tmp_path, monkeypatch):
    score = externals.score_test_scans

    def slow(raw, *words):
        table = score(raw, *words)
        if raw.name == CT:
            edit(prediction(tmp_path), lambda label: mark(label, 3, (1, 0, 0)))
        return table

    monkeypatch.setattr(externals, "score_test_scans", slow)
    job = jobs_of(grid)[0]
    job.folder.mkdir(parents=True)
    with pytest.raises(UserError, match="changed while it was scored: run again when it is whole"):
        do_cell(job, None)
    assert not (job.folder / "scores.csv").exists()


def test_the_truth_in_another_type_is_not_taken_for_a_prediction(grid, tmp_path):
    for name in (CT, MRI):
        file = prediction(tmp_path, name)
        truth = sitk.ReadImage(str(tmp_path / "raw" / name / "labelsTs" / file.name))
        sitk.WriteImage(sitk.Cast(truth, sitk.sitkInt16), str(file))
    run(grid)
    assert "equals the truth" in read_record(jobs_of(grid)[0].folder)["error"]


def test_regions_are_scored_if_the_tool_has_the_values_of_the_dataset(grid, tmp_path):
    for name in (CT, MRI):
        give_regions(tmp_path / "raw" / name)
        shutil.copy(tmp_path / "raw" / name / "dataset.json", tmp_path / "tool" / name)
    run(grid)
    assert set(scores(jobs_of(grid)[0])["organ"]) == set(REGIONS)
    write_json(tmp_path / "tool" / CT / "dataset.json", {"labels": {"background": 0, "liver": 4}})
    assert f"dataset.json has other labels than {tmp_path / 'raw' / CT / 'dataset.json'}" in refused(grid)
    named = replace(grid, external=(External("Tool", tmp_path / "tool", {"liver": 4}),))
    assert "labels in the grid, which are not supported for the regions of Dataset801_CTS" in refused(named)
