from pathlib import Path

import pytest

from mass_nnunet.benchmark.run.grid import load_grid
from mass_nnunet.benchmark.run.lookup import make_jobs
from mass_nnunet.benchmark.run.state import write_record
from mass_nnunet.cli import main
from mass_nnunet.demo.settings import TINY, Settings
from mass_nnunet.demo.steps import Folders, demo_grid, demo_steps


def test_commands_are_those_that_a_user_would_type(tmp_path):
    steps = demo_steps(Folders(tmp_path), Settings())
    lines = [" ".join(step.command) for step in steps]
    assert lines[0].startswith(f"mass_nnunet phantom {tmp_path}/phantom --ct 20 --unlabelled-ct 4 --mri 20")
    assert f"mass_nnunet convert chaos {tmp_path}/phantom/CHAOS -d 802" in lines
    assert [line.split()[1] for line in lines[:5]] == ["phantom", "convert", "convert", "split", "plan"]
    assert lines[5:] == [f"mass_nnunet benchmark {action} {tmp_path}/grid.yaml" for action in ("run", "report")]
    assert len({step.name for step in steps}) == len(lines)


def test_every_option_is_one_that_the_command_has(tmp_path, capsys):
    for step in demo_steps(Folders(tmp_path), TINY):
        # With -h last, argparse reads all that stands before it, and does nothing.
        with pytest.raises(SystemExit) as end:
            main([*step.command[1:], *step.again(), "-h"])
        assert end.value.code == 0


def test_the_benchmark_reads_the_grid_that_is_meant(tmp_path):
    folders = Folders(tmp_path)
    run = demo_steps(folders, Settings())[-2]
    ((path, text),) = run.files.items()
    assert str(path) == run.command[-1]
    path.write_text(text)
    grid = load_grid(path)
    assert grid == demo_grid(folders, Settings())
    assert (grid.label_rates, grid.seeds, grid.inference, grid.device) == ((0.15,), (0,), ("fused",), "cpu")
    assert folders.environment(grid)["nnUNet_results"] == str(grid.models)


def test_epochs_of_all_trainings_are_counted(finished, variables):
    jobs = make_jobs(load_grid(Folders(finished.out).grid))
    assert [len(job.trainings) for job in jobs] == [1, 1]
    assert demo_steps(Folders(finished.out), TINY)[-2].epochs == 2 * TINY.epochs


def test_a_cell_that_failed_is_tried_again(tmp_path):
    run = demo_steps(Folders(tmp_path), TINY)[-2]
    assert run.again() == ()
    for name, failures in (("a", 0), ("b", 2)):
        write_record(tmp_path / "benchmark" / "cells" / name, {"failures": failures})
    assert run.again() == ("--retries", "2")


def test_what_is_removed_is_below_the_folder_of_the_demo():
    root = Path("/somewhere/demo")
    outputs = [output for step in demo_steps(Folders(root), TINY) for output in step.outputs]
    assert outputs
    assert all(root in output.parents for output in outputs)
