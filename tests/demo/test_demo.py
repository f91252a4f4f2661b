"""The demo with commands that only pretend: order, markers, going on after a kill, failures, the report."""

import json
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from mass_nnunet.cli import main
from mass_nnunet.demo import runner
from mass_nnunet.demo.settings import TINY, Settings
from mass_nnunet.demo.steps import MODALITIES, Folders, demo_steps
from mass_nnunet.evaluation.scores import score_columns

PYTHON = sys.executable
# Stands for every command of the demo: it notes how it was called, and leaves what the real one would.
FAKE = """#!{python} -S
import json, os, shutil, sys, time
from pathlib import Path
name, args = Path(sys.argv[0]).name, sys.argv[1:]
here = Path({templates!r})
with open(here / "calls", "a") as calls:
    calls.write(" ".join([name, *args]) + "\\n")
line = " ".join([name, *args])
if (here / "sleep").exists() and (here / "sleep").read_text() in line:
    try:
        (here / "sleeping").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        (here / "interrupted").touch()
        raise
if (here / "fail").exists() and (here / "fail").read_text() in line:
    sys.exit("first line\\nout of luck")
def option(key):
    return args[args.index(key) + 1]
if name == "nnUNetv2_train":
    trainer = option("-tr")
    for dataset in here.glob("Dataset*"):
        if args[0] in dataset.name or trainer == "MASSTrainer":
            fold = Path(os.environ["nnUNet_results"], dataset.name, trainer + "__MASSPlans__3d_fullres", "fold_0")
            fold.mkdir(parents=True, exist_ok=True)
            shutil.copy(here / "checkpoint_final.pth", fold)
            if trainer == "MASSTrainer":
                shutil.copy(here / "mass_terms.png", fold)
    print("time: Epoch 1", flush=True)
    print("time: Pseudo dice [np.float32(0.25), np.float64(0.75)]", flush=True)
elif name == "nnUNetv2_predict":
    dataset = next(here.glob("Dataset" + option("-d") + "*"))
    shutil.copytree(dataset / "labelsTs", option("-o"), dirs_exist_ok=True)
elif args[0] == "convert":
    dataset = next(here.glob("Dataset" + option("-d") + "*"))
    shutil.copytree(dataset, Path(os.environ["nnUNet_raw"], dataset.name))
elif args[0] == "split":
    for dataset in here.glob("Dataset*"):
        folder = Path(os.environ["nnUNet_preprocessed"], dataset.name)
        folder.mkdir(parents=True)
        (folder / "splits_final.json").write_text(json.dumps([dict(train=["a"], unlabelled=["b"] * 7, val=["c"])]))
elif args[0] == "evaluate":
    Path(option("--csv")).parent.mkdir(exist_ok=True)
    shutil.copy(here / "scores.csv", option("--csv"))
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Fake commands in place of those of this environment; returns the folder that steers them."""
    templates, programs = tmp_path / "templates", tmp_path / "bin"
    for folder in (templates, programs):
        folder.mkdir()
    for name in ("mass_nnunet", "nnUNetv2_train", "nnUNetv2_predict"):
        (programs / name).write_text(FAKE.format(python=PYTHON, templates=str(templates)))
        (programs / name).chmod(stat.S_IRWXU)
    labels = np.zeros((6, 24, 24), np.uint8)
    labels[2:4, 4:12, 4:12] = 4
    for modality in MODALITIES:
        for part, name in (("imagesTs", "x_0000.nii.gz"), ("labelsTs", "x.nii.gz")):
            (templates / modality.dataset / part).mkdir(parents=True)
            sitk.WriteImage(sitk.GetImageFromArray(labels), str(templates / modality.dataset / part / name))
    (templates / "scores.csv").write_text(",".join(score_columns()) + "\nx,liver,0.912,1,1,1,0.9,0,5,5\n")
    log = {key: [1.0, 0.5] for key in ("train_losses", "val_losses", "mean_fg_dice")}
    torch.save({"logging": log}, templates / "checkpoint_final.pth")
    (templates / "mass_terms.png").write_bytes(b"a picture")
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    return templates


def calls(fake):
    file = fake / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_commands_are_those_of_the_issue(tmp_path):
    lines = [" ".join(step.command) for step in demo_steps(Folders(tmp_path), Settings())]
    assert lines[0].startswith(f"mass_nnunet phantom {tmp_path}/phantom --ct 20 --unlabelled-ct 4 --mri 20")
    assert f"mass_nnunet convert chaos {tmp_path}/phantom/CHAOS -d 802" in lines
    assert "nnUNetv2_train 801 3d_fullres 0 -tr MASSTrainer -p MASSPlans -device cpu" in lines
    kinds = [line.split()[0 if line.startswith("nnU") else 1] for line in lines]
    assert kinds == (
        ["phantom", "convert", "convert", "split", "plan"]
        + ["nnUNetv2_train"] * 3
        + ["nnUNetv2_predict"] * 4
        + ["evaluate"] * 4
    )
    assert len({step.name for step in demo_steps(Folders(tmp_path), Settings())}) == len(lines)


def test_every_mass_nnunet_option_is_one_that_the_command_has(tmp_path, capsys):
    for step in demo_steps(Folders(tmp_path), TINY):
        if step.command[0] == "mass_nnunet":
            # With -h last, argparse reads all that stands before it, and does nothing.
            with pytest.raises(SystemExit) as end:
                main([*step.command[1:], "-h"])
            assert end.value.code == 0


def test_whole_demo_writes_the_report_and_a_second_call_does_nothing_again(fake, tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", str(out), "--tiny"]) == 0
    lines = calls(fake)
    assert len(lines) == 16
    printed = capsys.readouterr().out
    assert "[16/16] $ mass_nnunet evaluate" in printed and "export nnUNet_raw=" in printed
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "MASSTrainer 0.912" in html and "CT (n = 1)" in html and lines[6] in html
    assert '<td class="text">CT</td><td>1</td><td>7</td><td>1</td><td>1</td>' in html
    assert html.count("data:image/png") == 3
    assert main(["demo", str(out), "--tiny"]) == 0
    assert calls(fake) == [] and capsys.readouterr().out.count("already done") == 16


def test_a_changed_command_runs_again_with_all_after_it_and_not_from_old_checkpoints(fake, tmp_path):
    out = tmp_path / "demo"
    main(["demo", str(out), "--tiny"])
    calls(fake)
    marker = out / ".done" / "plan.json"
    content = json.loads(marker.read_text())
    for file in (out / ".done").glob("*.json"):
        known = json.loads(file.read_text())
        known["commands"] = [line.replace("--epochs 2", "--epochs 3") for line in known["commands"]]
        file.write_text(json.dumps(known))
    assert content["commands"][-1].endswith("-np 2")
    main(["demo", str(out), "--tiny"])
    lines = calls(fake)
    assert len(lines) == 12 and lines[0].startswith("mass_nnunet plan")
    assert not any("--c" in line.split() for line in lines)


def test_failure_names_the_log_and_shows_its_end_and_the_next_call_goes_on(fake, tmp_path, capsys):
    out = tmp_path / "demo"
    (fake / "fail").write_text("-tr MASSTrainer -p MASSPlans -device cpu")
    assert main(["demo", str(out), "--tiny"]) == 2
    error = capsys.readouterr().err
    assert "| out of luck" in error
    assert (
        f"step train_MASSTrainer_CT_MRI failed with exit status 1: its last lines are above, all are in {out}" in error
    )
    fold = Folders(out).fold(MODALITIES[0], "MASSTrainer")
    fold.mkdir(parents=True)
    (fold / "checkpoint_latest.pth").touch()
    (fake / "fail").unlink()
    calls(fake)
    assert main(["demo", str(out), "--tiny"]) == 0
    lines = calls(fake)
    assert lines[0].endswith("-tr MASSTrainer -p MASSPlans -device cpu --c")
    assert len(lines) == 9
    log = (out / "logs" / "train_MASSTrainer_CT_MRI.log").read_text(encoding="utf-8")
    assert "out of luck" in log and "Epoch 1" in log


def test_progress_of_a_training_is_read_from_its_log(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runner, "_POLL", 0.01)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["demo", str(tmp_path / "demo"), "--tiny"])
    shown = capsys.readouterr().err
    assert "train_MASSTrainer_CT_MRI" in shown and "1/2" in shown and "Dice of patches 0.50" in shown


def test_foreign_folder_is_not_touched(fake, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "scan.nii.gz").touch()
    assert main(["demo", str(tmp_path / "mine")]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert calls(fake) == []


def test_missing_command_is_named(fake, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "bin" / "mass_nnunet").unlink()
    assert main(["demo", str(tmp_path / "demo"), "--tiny"]) == 2
    assert "bin/mass_nnunet does not exist: install" in capsys.readouterr().err


def test_commands_that_are_elsewhere_are_found_on_the_path(fake, tmp_path, monkeypatch):
    (tmp_path / "bin").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    assert main(["demo", str(tmp_path / "demo"), "--tiny"]) == 0
    assert calls(fake)[0].startswith("mass_nnunet phantom")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_demo_leaves_no_command_behind(fake, tmp_path, how):
    if how == signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent was killed")
    (fake / "sleep").write_text("phantom")
    code = f"import sys; from mass_nnunet.cli import main; sys.executable = {str(tmp_path / 'bin' / 'python')!r}\n"
    code += f"sys.exit(main(['demo', {str(tmp_path / 'demo')!r}, '--tiny']))"
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
