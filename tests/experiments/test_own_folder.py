"""The scripts of experiments/ that delete what they made before: they delete nothing else."""

import sys

import pytest

from scripts import load_script


@pytest.mark.skipif(sys.platform != "linux", reason="both scripts are for Linux")
@pytest.mark.parametrize(
    ("name", "main", "words", "own"),
    [
        ("fuzz", "main", ["--kinds", "zip", "--count", "0"], "fuzz"),
        ("load", "main_program", ["--scans", "20"], "load/20"),
    ],
)
def test_files_of_the_user_stay(tmp_path, monkeypatch, name, main, words, own):
    monkeypatch.setattr("os.environ", {})  # the scripts set variables
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = load_script(name)
    if name == "load":
        monkeypatch.setattr(module, "STEPS", {})
        for step in ("import_everything", "write_group", "write_scored"):
            monkeypatch.setattr(module, step, lambda *_, **__: None)
    for folder in (tmp_path, tmp_path / "20", tmp_path / own):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "precious").touch()
    monkeypatch.setattr(sys, "argv", [name, str(tmp_path), *words])
    assert getattr(module, main)() == 0
    assert (tmp_path / "precious").exists()
    assert (tmp_path / "20" / "precious").exists()
    assert not (tmp_path / own / "precious").exists()
