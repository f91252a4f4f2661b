import pytest

import fake_jobs
from mass_nnunet.benchmark.run import runner, slurm
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.cli import main
from mass_nnunet.errors import UserError
from planned_grid import write_planned


@pytest.fixture
def grid(tmp_path, monkeypatch):
    return write_planned(tmp_path, monkeypatch)


@pytest.fixture
def file(grid, tmp_path):
    return str(tmp_path / "grid.yaml")


def run_quick(jobs, workers, retries):
    from mass_nnunet.benchmark.run.runner import work

    assert workers == 2
    work(jobs, retries, fake_jobs.quick)


def test_run_and_status(grid, file, monkeypatch, capsys):
    monkeypatch.setattr(runner, "run_local", run_quick)
    assert main(["benchmark", "status", file]) == 0
    assert "8 cells: 8 waiting" in capsys.readouterr().out
    assert main(["benchmark", "run", file, "--jobs", "2"]) == 0
    assert "8 cells: 8 done" in capsys.readouterr().out
    assert main(["benchmark", "status", file]) == 0
    assert capsys.readouterr().out.splitlines()[2] == "MASSTrainer        2 done  2 done"
    assert main(["benchmark", "status", str(grid.output)]) == 0
    assert "8 cells: 8 done" in capsys.readouterr().out


def test_failed_cells_make_the_command_fail(grid, file, monkeypatch, capsys):
    monkeypatch.setattr(runner, "run_local", run_quick)
    grid.output.mkdir()
    (grid.output / "fail_MASSTrainer_1_0").write_text("9")
    assert main(["benchmark", "run", file, "--jobs", "2", "--retries", "0"]) == 2
    printed = capsys.readouterr()
    assert "7 done, 1 failed" in printed.out
    assert "        | out of luck\n" in printed.err
    assert "mass_nnunet benchmark: error: 1 of 8 cells failed" in printed.err


def test_workers_that_ended_early_make_the_command_fail_and_what_is_done_is_told(file, monkeypatch, capsys):
    def end_early(jobs, workers, retries):
        run_quick(jobs[:3], workers, retries)
        raise UserError("a worker ended early")

    monkeypatch.setattr(runner, "run_local", end_early)
    assert main(["benchmark", "run", file, "--jobs", "2"]) == 2
    printed = capsys.readouterr()
    assert "8 cells: 3 done, 5 waiting" in printed.out
    assert "error: a worker ended early" in printed.err


def test_dry_run_prints_and_does_nothing(grid, file, capsys):
    assert main(["benchmark", "run", file, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"export nnUNet_results={grid.output / 'models'}" in lines
    # In four settings two trainings of the supervised method, and one of the other.
    assert len([line for line in lines if line.startswith("nnUNetv2_train")]) == 12
    assert len([line for line in lines if line.startswith("nnUNetv2_predict")]) == 16
    assert not grid.output.exists()


def test_only_what_is_open_goes_to_the_cluster(grid, file, monkeypatch, capsys):
    submitted = []

    def submit(tasks, options):
        submitted.append(([task.job.cell.name for task in tasks], options))
        return [type("Job", (), {"job_id": "77_0"})]

    monkeypatch.setattr(slurm, "submit", submit)
    jobs = make_jobs(grid)
    for job in jobs[:-1]:
        write_record(job.folder, {"state": "done", "inferences": ["segmentation"], "inputs": job.inputs})
    words = ["benchmark", "run", file, "--executor", "slurm", "--jobs", "3", "--slurm", "mem_gb=32", "slurm_gres=gpu:1"]
    assert main(words) == 0
    options = {"mem_gb": 32, "slurm_gres": "gpu:1", "slurm_array_parallelism": 3}
    assert submitted == [([jobs[-1].cell.name], options)]
    assert "submitted 1 jobs, 77_0 and on" in capsys.readouterr().out
    write_record(jobs[-1].folder, {"state": "done", "inferences": ["segmentation"], "inputs": jobs[-1].inputs})
    assert main(words) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert len(submitted) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--jobs", "0"], "--jobs 0 is too few"),
        (["--retries", "-1"], "--retries -1 is negative"),
        (["--executor", "slurm", "--slurm", "mem_gb"], "--slurm mem_gb has no value"),
    ],
)
def test_bad_options(file, capsys, options, text):
    assert main(["benchmark", "run", file, *options]) == 2
    assert f"mass_nnunet benchmark: error: {text}" in capsys.readouterr().err


def test_device_that_this_machine_lacks(file, tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "grid.yaml").write_text((tmp_path / "grid.yaml").read_text().replace("cpu", "cuda"))
    assert main(["benchmark", "run", file]) == 2
    assert "there is no cuda on this machine" in capsys.readouterr().err
