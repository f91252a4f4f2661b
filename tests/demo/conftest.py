"""The commands of the demo are fakes (fake_demo.py); the demo itself is run once for all tests that only look at it."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fake_demo
from mass_nnunet.cli import main
from mass_nnunet.demo import pictures
from mass_nnunet.demo.settings import TINY
from mass_nnunet.demo.steps import Folders, demo_grid
from mass_nnunet.runtime.env import temporary_environment


@pytest.fixture(scope="session")
def templates(tmp_path_factory) -> Path:
    """Files that the fake commands copy."""
    folder = tmp_path_factory.mktemp("templates")
    fake_demo.write_templates(folder)
    return folder


@pytest.fixture
def fake(templates, tmp_path, monkeypatch) -> Path:
    """Fake commands in place of those of this environment; returns the folder that steers them."""
    monkeypatch.setattr(sys, "executable", str(fake_demo.install(templates, tmp_path)))
    return tmp_path


@pytest.fixture(scope="session")
def finished(templates, tmp_path_factory) -> SimpleNamespace:
    """A whole demo: its ``out`` folder, the ``steer`` folder, the ``calls``, and what it asked of the model.

    No test changes it.
    """
    steer = tmp_path_factory.mktemp("finished")
    asked = []

    def load_model(folder, fold, checkpoint, device):
        assert (folder / f"fold_{fold}" / checkpoint).is_file()
        asked.append(folder)
        return "predictor"

    def explain(predictor, images, truth):
        assert predictor == "predictor"
        asked.append((images, truth))
        return fake_demo.explained()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(fake_demo.install(templates, steer)))
        patch.setattr(pictures, "load_model", load_model)
        patch.setattr(pictures, "explain", explain)
        assert main(["demo", str(steer / "demo"), "--tiny"]) == 0
    return SimpleNamespace(out=steer / "demo", steer=steer, calls=fake_demo.calls(steer), asked=asked)


@pytest.fixture
def variables(finished):
    """nnU-Net's variables are those of the finished demo."""
    folders = Folders(finished.out)
    with temporary_environment(folders.environment(demo_grid(folders, TINY))):
        yield
