"""The runner with fake commands: order, markers, and continuation after a kill or a failure."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fake_demo import PYTHON, calls
from mass_nnunet.cli import main
from mass_nnunet.demo import runner
from mass_nnunet.demo.runner import Runner
from mass_nnunet.demo.steps import Step
from mass_nnunet.errors import UserError


@pytest.fixture
def out(fake):
    return fake / "demo"


def step(name: str, *words: str, **more) -> Step:
    """A step of a command that the fake does nothing for."""
    return Step(name, ("mass_nnunet", "nothing", name, *words), **more)


def run(out: Path, *steps: Step) -> dict[str, float]:
    return Runner(out, {"X": "1"}).run(steps)


def test_steps_run_in_their_order_and_only_once(fake, out, capsys):
    steps = step("a"), step("b"), step("c")
    seconds = run(out, *steps)
    assert calls(fake) == [f"mass_nnunet nothing {name}" for name in "abc"]
    assert "[3/3] $ mass_nnunet nothing c" in capsys.readouterr().out
    assert all(value > 0 for value in seconds.values())
    assert run(out, *steps) == seconds
    assert calls(fake) == []
    assert capsys.readouterr().out.count("already done") == 3


def test_a_changed_command_runs_again_with_all_after_it_and_without_what_they_left(fake, out):
    left = [out / name for name in "abc"]
    steps = [step(folder.name, outputs=(folder,)) for folder in left]
    run(out, *steps)
    for folder in left:
        folder.mkdir()
    calls(fake)
    run(out, steps[0], step("b", "--epochs", "3", outputs=(left[1],)), steps[2])
    assert calls(fake) == ["mass_nnunet nothing b --epochs 3", "mass_nnunet nothing c"]
    assert [folder.exists() for folder in left] == [True, False, False]


def test_a_changed_file_is_written_and_what_reads_it_runs_again(fake, out):
    run(out, step("a"), step("b", files={out / "grid.yaml": "one"}), step("c"))
    assert (out / "grid.yaml").read_text() == "one"
    calls(fake)
    run(out, step("a"), step("b", files={out / "grid.yaml": "two"}), step("c"))
    assert (out / "grid.yaml").read_text() == "two"
    assert calls(fake) == ["mass_nnunet nothing b", "mass_nnunet nothing c"]


def test_failure_names_the_log_and_shows_its_end_and_the_next_call_goes_on(fake, out, capsys):
    kept = out / "kept"
    steps = step("a"), step("b", outputs=(kept,), again=lambda: ("--retries", "2")), step("c")
    (fake / "fail").write_text("nothing b")
    with pytest.raises(UserError, match=f"step b failed with exit status 1: its last lines .*, all are in {out}"):
        run(out, *steps)
    assert "| out of luck" in capsys.readouterr().err
    (fake / "fail").unlink()
    kept.mkdir()
    calls(fake)
    run(out, *steps)
    assert calls(fake) == ["mass_nnunet nothing b --retries 2", "mass_nnunet nothing c"]
    assert kept.exists()
    assert "continued" in capsys.readouterr().out
    log = (out / "logs" / "b.log").read_text(encoding="utf-8")
    assert "out of luck" in log
    marker = json.loads((out / ".done" / "b.json").read_text())
    assert marker["commands"] == ["mass_nnunet nothing a", "mass_nnunet nothing b"]
    assert marker["seconds"] > 0


def test_foreign_folder_is_not_touched(fake, out, capsys):
    out.mkdir()
    (out / "scan.nii.gz").touch()
    assert main(["demo", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert calls(fake) == []


def test_missing_command_is_named(fake, out, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (fake / "bin" / "mass_nnunet").unlink()
    with pytest.raises(UserError, match="bin/mass_nnunet does not exist: install"):
        run(out, step("a"))


def test_commands_that_are_elsewhere_are_found_on_the_path(fake, out, monkeypatch):
    (fake / "bin").rename(fake / "elsewhere")
    monkeypatch.setenv("PATH", str(fake / "elsewhere"))
    run(out, step("a"))
    assert calls(fake) == ["mass_nnunet nothing a"]


def test_interrupted_step_is_ended_and_goes_on_later(fake, out, monkeypatch):
    def interrupt(process, step, title):
        wait_for(fake / "sleeping")
        raise KeyboardInterrupt

    (fake / "sleep").write_text("nothing a")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner, "watch", interrupt)
        run(out, step("a"), step("b"))
    assert (fake / "interrupted").exists()
    (fake / "sleep").unlink()
    run(out, step("a"), step("b"))
    assert calls(fake) == ["mass_nnunet nothing a"] * 2 + ["mass_nnunet nothing b"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_demo_leaves_no_command_behind(fake, out, how):
    if how == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent was killed")
    (fake / "sleep").write_text("phantom")
    code = f"import sys; from mass_nnunet.cli import main; sys.executable = {sys.executable!r}\n"
    code += f"sys.exit(main(['demo', {str(out)!r}, '--tiny']))"
    # A shell starts what runs in its background with SIGINT ignored, and that is inherited.
    process = subprocess.Popen(
        [PYTHON, "-c", code],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(fake / "sleeping")
    process.send_signal(how)
    _, error = process.communicate(timeout=30)
    wait_for(fake / "interrupted")
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in error


def wait_for(file):
    for _ in range(300):
        if file.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{file} did not appear")
