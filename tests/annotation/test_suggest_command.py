"""mass_nnunet suggest, as it is typed: its options."""

from pathlib import Path

from mass_nnunet.annotation import suggesting
from mass_nnunet.cli import main


def test_options(monkeypatch):
    asked = []
    monkeypatch.setattr(suggesting, "write_suggestions", asked.append)
    assert main(["suggest", "-d", "801", "802"]) == 0
    (args,) = asked
    assert (args.d, args.n, args.fold) == ([801, 802], 5, 0)
    assert (args.trainer, args.device, args.quick, args.export) == (None, None, False, None)
    assert args.output == Path("suggestion.html")
