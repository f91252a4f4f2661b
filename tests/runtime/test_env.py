import os
from pathlib import Path

import pytest

from mass_nnunet import cli
from mass_nnunet.runtime import env


def test_exports_the_hook_and_only_the_folders_that_are_unset(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("nnUNet_raw", "/somewhere")
    monkeypatch.delenv("nnUNet_preprocessed", raising=False)
    monkeypatch.delenv("nnUNet_results", raising=False)
    assert cli.main(["env", "--root", str(tmp_path / "with space")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"export nnUNet_extTrainer={env.HOOK_FOLDER}"
    assert f"export nnUNet_results='{tmp_path}/with space/nnUNet_results'" in lines
    assert not any("nnUNet_raw" in line for line in lines)


def test_the_hook_folder_holds_one_module_and_no_package():
    files = {path.name for path in Path(env.HOOK_FOLDER).iterdir()} - {"__pycache__"}
    assert files == {"mass_trainers.py"}


def test_variables_are_set_inside_the_block_only(monkeypatch):
    monkeypatch.setenv("KNOWN", "before")
    monkeypatch.delenv("UNKNOWN", raising=False)
    with pytest.raises(KeyError), env.temporary_environment({"KNOWN": "inside", "UNKNOWN": "new"}):
        assert (os.environ["KNOWN"], os.environ["UNKNOWN"]) == ("inside", "new")
        raise KeyError
    assert os.environ["KNOWN"] == "before"
    assert "UNKNOWN" not in os.environ
