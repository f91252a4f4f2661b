"""mass_nnunet quality, as it is typed: its options."""

from pathlib import Path

from mass_nnunet.cli import main
from mass_nnunet.quality import folder


def test_options(monkeypatch):
    asked = []
    monkeypatch.setattr(folder, "assess_folder", asked.append)
    assert main(["quality", "out", "--images", "scans", "-d", "801"]) == 0
    assert main(["quality", "out", "--images", "scans", "-d", "801", "--validation", "a", "b", "-m", "model"]) == 0
    plain, full = asked
    assert (plain.predictions, plain.images, plain.d) == (Path("out"), Path("scans"), 801)
    assert (plain.fold, plain.output, plain.pictures) == (0, Path("quality"), 30)
    assert (plain.validation, plain.model) == ([], None)
    assert (full.validation, full.model) == ([Path("a"), Path("b")], Path("model"))
