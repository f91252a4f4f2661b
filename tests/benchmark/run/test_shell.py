import shlex
from dataclasses import replace

import pytest

from mass_nnunet.benchmark.run.entries import External
from mass_nnunet.benchmark.run.job import Schedule
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.shell import commands, exports
from planned_grid import write_planned


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    grid = write_planned(tmp_path / "a folder", monkeypatch)
    return make_jobs(replace(grid, inference=("fused",)))


def test_supervised_is_trained_on_each_dataset(jobs, tmp_path):
    title, *lines = commands(jobs[2])
    assert title == "# SupervisedTrainer, 100 % of the labels, seed 0"
    model = ["-tr", "SupervisedTrainer", "-p", "MASSPlans", "-device", "cpu"]
    words = [shlex.split(line) for line in lines]
    assert words[0] == ["nnUNetv2_train", "801", "3d_fullres", "1", *model]
    assert words[1] == ["nnUNetv2_train", "802", "3d_fullres", "1", *model]
    raw = str(tmp_path / "a folder/raw/Dataset802_MRS")
    out = str(tmp_path / "a folder/out/cells/SupervisedTrainer_1_0/predictions/Dataset802_MRS_segmentation")
    predict = ["nnUNetv2_predict", "-d", "802", "-i", f"{raw}/imagesTs", "-o", out, "-c", "3d_fullres", "-f", "1"]
    assert words[4] == [*predict, *model]
    assert words[5] == ["mass_nnunet", "evaluate", out, f"{raw}/labelsTs", "--csv", f"{out}.csv"]
    assert len(words) == 6


def test_a_group_is_trained_once_and_the_inference_is_told(jobs):
    lines = commands(jobs[1])
    assert len([line for line in lines if line.startswith("nnUNetv2_train 801 3d_fullres 0 -tr MASSTrainer")]) == 1
    assert len([line for line in lines if line.startswith("nnUNetv2_train")]) == 1
    assert len([line for line in lines if line.startswith("nnUNetv2_predict")]) == 2
    assert '# with "inference": "fused" under "mass" in plans.json beside the models' in lines


def test_exports_point_at_the_models_of_the_grid(jobs):
    results = next(line for line in exports(jobs[0]) if "nnUNet_results" in line)
    assert shlex.split(results)[1] == f"nnUNet_results={jobs[0].grid.output / 'models'}"


def test_a_foreign_trainer_has_models_of_its_own_and_the_exports_are_those_of_the_grid(jobs):
    stock = replace(jobs[0], schedule=Schedule(1, 1, 1))
    assert exports(stock) == exports(jobs[0])
    folder = f"nnUNet_results={stock.folder / 'models'}"
    lines = [shlex.split(line) for line in commands(stock) if "nnUNetv2" in line]
    assert [line[:2] for line in lines] == [["env", folder]] * 4


def test_the_scores_of_each_inference_have_a_name_of_their_own_also_with_a_dot_in_it(jobs):
    (tested, _) = jobs[1].tested
    dotted = replace(tested.dataset, folder=tested.dataset.folder.with_name("Dataset801_CT.v2"))
    grid = replace(jobs[1].grid, inference=("segmentation", "fused"))
    job = replace(jobs[1], grid=grid, tested=(replace(tested, dataset=dotted),), choices=grid.inference)
    scores = [shlex.split(line)[-1] for line in commands(job) if "evaluate" in line]
    assert [name.rpartition("/")[2] for name in scores] == [
        "Dataset801_CT.v2_segmentation.csv",
        "Dataset801_CT.v2_fused.csv",
    ]


def test_predictions_of_another_tool_are_only_scored(jobs, tmp_path):
    job = replace(jobs[0], external=External("Tool", tmp_path), predicted=tmp_path / "tool")
    _, comment, *lines = commands(job)
    assert comment == "# made by another tool"
    words = [shlex.split(line) for line in lines]
    truth = [tested.truth for tested in job.tested]
    files = [job.folder / f"{tested.dataset.name}.csv" for tested in job.tested]
    assert [word[:2] for word in words] == [["mass_nnunet", "evaluate"]] * 2
    assert words[0][2:] == [str(tmp_path / "tool" / "Dataset801_CTS"), str(truth[0]), "--csv", str(files[0])]
