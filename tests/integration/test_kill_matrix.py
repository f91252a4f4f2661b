"""A dozen cells of the matrix of experiments/kill_matrix.py, and two commands at once."""

import sys
import threading

import pytest

if sys.platform != "linux":
    pytest.skip("faults by forks, permissions and limits of Linux", allow_module_level=True)

from faults import HELD, Point, arm, hold, let_go, wait_for
from forked import Outcome
from kill_cells import Scene, lost_epochs, unreadable
from kill_commands import COMMANDS

CELLS = [
    ("convert", "second scan is written", "kill -9"),
    ("convert", "record of the second case", "vanished folder"),
    ("convert", "scans are placed", "Ctrl-C"),
    ("convert", "dataset.json", "read-only"),
    ("convert", "overview", "full disk"),
    ("convert", "folder gets its name", "SIGTERM"),
    ("split", "second splits", "kill -9"),
    ("split", "first splits", "full disk"),
    ("plan", "third labelled scan", "kill -9"),
    ("plan", "unlabelled scan is named", "full disk"),
    ("train", "checkpoint of epoch 0 is renamed", "kill -9"),
    ("train", "final checkpoint", "read-only"),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    scene = Scene(tmp_path_factory.mktemp("scene"))
    scene.prepare({command for command, _, _ in CELLS}, times=1)
    return scene


def named(name: str, phase: str) -> tuple:
    command = next(command for command in COMMANDS if command.name == name)
    return command, next(point for point in command.points if point.phase == phase)


@pytest.mark.parametrize(("name", "phase", "fault"), CELLS)
def test_a_broken_command_reaches_the_same_end_when_it_is_run_again(scene, name, phase, fault):
    found = scene.cell(*named(name, phase), fault)
    assert found.met
    assert found.first.status != 0
    assert found.again.status == 0, found.again.output
    assert found.wrong == ()
    assert (found.lost or 0) <= 1
    assert found.same and not found.silent
    if name != "train" and fault in ("full disk", "read-only", "vanished folder"):
        assert found.told == "exit 2", found.first.output


@pytest.mark.parametrize(
    ("name", "phase", "line"),
    [
        ("convert", "scans are placed", "belongs to another conversion of the same dataset"),
        ("plan", "third labelled scan", "belongs to another `mass_nnunet plan`"),
        ("train", "epoch 1", "belongs to another training"),
    ],
)
def test_of_two_at_once_one_works_and_the_other_says_so(scene, name, phase, line):
    command, point = named(name, phase)
    scene.restore(command.after)
    for mark in scene.root.parent.glob("[hg][eo]*"):
        mark.unlink()
    ends: list[Outcome] = []
    begin = lambda: arm(scene.root, point, hold, scene.root.parent / "fired-once")  # noqa: E731
    first = threading.Thread(target=lambda: ends.append(scene.run(command.action, begin)))
    first.start()
    assert wait_for(lambda: (scene.root.parent / HELD).exists(), 60)
    second = scene.run(command.action)
    let_go(scene.root)
    first.join()
    (scene.root.parent / "fired-once").unlink()
    assert second.status != 0
    assert line in second.output and "Traceback" not in second.output
    assert ends[0].status == 0, ends[0].output
    assert scene.differences(command) == [] and command.check(scene.root) == []


def test_a_point_that_is_not_reached_is_no_success(scene):
    found = scene.cell(named("split", "first splits")[0], Point("nowhere", "rename", "absent"), "kill -9")
    assert found.told == "not reached" and not found.same


def test_what_is_left_or_torn_is_seen(scene):
    command, _ = named("split", "first splits")
    scene.restore("split")
    (scene.root / "preprocessed" / "left.json").write_text("{")
    next(scene.root.rglob("splits_final.json")).unlink()
    found = scene.differences(command)
    assert "preprocessed/left.json is left" in found
    assert any(line.endswith("splits_final.json is not there") for line in found)
    assert unreadable(scene.root) == ["preprocessed/left.json"]


def test_epochs_that_are_trained_twice_are_counted():
    first = "epoch 0 begins\nepoch 0 is done\nepoch 1 begins\nepoch 1 is done\n"
    assert lost_epochs(first, "epoch 1 begins\nepoch 1 is done") == 1
    assert lost_epochs(first, "epoch 0 begins") == 2
    assert lost_epochs(first, "") == 0
    assert lost_epochs("epoch 0 begins", "epoch 0 begins") is None
