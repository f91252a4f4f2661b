"""The worst scans are found, and their figures and the splits are on the page."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from mass_nnunet.benchmark.report.document import write_report
from mass_nnunet.benchmark.report.results import load_results
from mass_nnunet.benchmark.report.worst import draw_worst, worst_scans, worst_table
from mass_nnunet.benchmark.run.entries import External
from mass_nnunet.benchmark.run.grid import save_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.runner import work
from mass_nnunet.cli import main
from mass_nnunet.errors import UserError
from planned_grid import write_planned
from scored_grid import make_scores, write_cell, write_scored
from tiny_group import CT, MRI


def test_worst_scan_of_each_method_is_found(tmp_path):
    grid = write_scored(tmp_path / "out", ("A", "B"), (0.1,), 2, 5)
    cell = grid.cells[3]  # B, seed 1
    scores = make_scores(grid, cell, 5, ("CT", "MRI"), ("liver", "spleen"))
    scores.loc[(scores["case"] == "ct_0003") & (scores["organ"] == "liver"), "dice"] = 0.01
    scores.loc[(scores["case"] == "ct_0004"), "dice"] = np.nan  # its truth is empty
    write_cell(grid, cell, scores)
    results = load_results(grid)
    worst = worst_scans(results, ("CT", 0.1)).set_index("method")
    assert worst.index.tolist() == ["A", "B"]
    assert worst.loc["B", ["case", "seed"]].tolist() == ["ct_0003", 1] and worst.loc["B", "dice"] < 0.5
    table = worst_table(results, 3)
    assert [len(rows) for _, rows in table.groups] == [3, 3]
    assert [entry.text for entry in table.groups[0][1][0][:5]] == ["B", "ct_0003", "liver", "1", "0.010"]


@pytest.fixture
def done(tmp_path, monkeypatch):
    """A planned grid, all of whose predictions are the truth."""
    grid = write_planned(tmp_path, monkeypatch)
    jobs = make_jobs(grid)
    for job in jobs:
        scores = make_scores(grid, job.cell, 1, ("CT", "MRI"), ("liver",))
        for tested in job.tested:
            rows = scores["modality"] == tested.modality
            scores.loc[rows, ["dataset", "case"]] = tested.dataset.name, f"{tested.modality}t"
            predictions = job.predictions(tested, "segmentation")
            predictions.mkdir(parents=True)
            shutil.copy(tested.truth / f"{tested.modality}t.nii.gz", predictions)
        write_cell(grid, job.cell, scores, inputs=job.inputs, fold=job.fold)
    return grid, jobs


def test_pictures_and_splits_on_the_page(done, tmp_path):
    assert main(["benchmark", "report", str(tmp_path / "grid.yaml"), "-o", str(tmp_path / "r.html")]) == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 4 and "No pictures" not in html
    assert "Plans and splits are not shown" not in html and "16 × 24 × 24" not in html
    assert "Dataset801_CTS, 25 % of the labels, seed 1:" in html and "unlabelled: " in html
    assert "test, the same for all:</b> CTt<" in html
    assert "Modality-collaborative semi-supervised training" in html


def test_scans_without_files_are_left_out(done, tmp_path):
    grid, jobs = done
    results, by_cell = load_results(grid), {job.cell: job for job in jobs}
    worst = worst_scans(results, ("CT", 0.25))
    assert draw_worst(worst, by_cell, tmp_path / "two.jpg") == 2
    with Image.open(tmp_path / "two.jpg") as picture:
        assert picture.format == "JPEG" and picture.width > 500
    for row in worst.itertuples():
        job = next(j for j in jobs if (j.cell.method, j.cell.label_rate, j.cell.seed) == (row.method, 0.25, row.seed))
        shutil.rmtree(job.folder / "predictions")
    assert draw_worst(worst, by_cell, tmp_path / "none.jpg") == 0 and not (tmp_path / "none.jpg").exists()


def test_a_prediction_with_a_label_that_nobody_knows_is_named(done, tmp_path):
    grid, jobs = done
    worst = worst_scans(load_results(grid), ("CT", 0.25))
    (file, *_) = sorted(grid.output.glob("cells/*/predictions/*/CTt.nii.gz"))
    label = sitk.ReadImage(str(file))
    label[0, 0, 0] = 9
    for other in grid.output.glob("cells/*/predictions/*/CTt.nii.gz"):
        sitk.WriteImage(label, str(other))
    with pytest.raises(UserError, match=r"CTt.nii.gz has value 9, which dataset.json does not name"):
        draw_worst(worst, {job.cell: job for job in jobs}, tmp_path / "worst.jpg")


def test_predictions_of_another_tool_are_shown_by_the_datasets_labels(done, tmp_path):
    grid, _ = done
    labels = {"spleen": 11, "right_kidney": 12, "left_kidney": 13, "liver": 14}
    for name, case in ((CT, "CTt"), (MRI, "MRIt")):
        (tmp_path / "tool" / name).mkdir(parents=True)
        label = sitk.ReadImage(str(tmp_path / "raw" / name / "labelsTs" / f"{case}.nii.gz"))
        label[0, 0, 0] = 1  # not the truth itself
        sitk.WriteImage(label + 10, str(tmp_path / "tool" / name / f"{case}.nii.gz"), True)
    tool = External("Tool", tmp_path / "tool", labels)
    grid = replace(grid, external=(tool,), methods=("SupervisedTrainer",))
    jobs = {job.cell: job for job in make_jobs(grid)}
    work(list(jobs.values())[:1], 0)
    results = load_results(grid)
    worst = worst_scans(results, ("CT", 0.25))
    assert draw_worst(worst, jobs, tmp_path / "two.jpg") == 2
    save_grid(grid)
    write_report(grid, tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "the same test patients for all" in html
    assert "Predictions of Tool were made by other tools, and only scored here." in html
    assert "this report does not know what it was trained on" in html
    assert f"folder: {tool.folder.name}" in html and str(tool.folder) not in html


def test_no_scan_is_shown_where_none_may_be(done, tmp_path):
    words = ["benchmark", "report", str(tmp_path / "grid.yaml"), "-o", str(tmp_path / "r.html")]
    assert main(words) == 0
    files = tmp_path / "r_files"
    raster = (".jpg", ".jpeg", ".png")
    assert len([file for file in files.rglob("*") if file.suffix in raster]) == 4
    assert main([*words, "--no-pictures"]) == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" not in html and "data:image/png" not in html
    assert "No pictures: they were not asked for (--no-pictures)." in html
    assert [file for file in files.rglob("*") if file.suffix in raster] == []
    # Figures are lines, but for the shares of the ranks, which are an image.
    assert {file.name for file in files.glob("*.svg") if b"image/png" in file.read_bytes()} <= {"ranking.svg"}
