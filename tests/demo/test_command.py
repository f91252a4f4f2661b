import sys

from fake_demo import calls
from mass_nnunet.cli import main


def test_a_whole_demo_runs_every_step_once_and_a_second_call_only_writes_the_page(finished, monkeypatch, capsys):
    assert len(finished.calls) == 7
    monkeypatch.setattr(sys, "executable", str(finished.steer / "bin" / "python"))
    (finished.out / "report.html").unlink()
    assert main(["demo", str(finished.out), "--tiny"]) == 0
    assert calls(finished.steer) == []
    printed = capsys.readouterr().out
    assert printed.startswith("export nnUNet_raw=")
    assert printed.count("already done") == 7
    assert printed.endswith(f"report: {finished.out}/report.html\n")
    assert (finished.out / "report.html").is_file()


def test_other_settings_begin_anew(fake, templates, capsys):
    (fake / "fail").write_text("convert")
    for option in (["--tiny"], []):
        assert main(["demo", str(fake / "demo"), *option]) == 2
    tiny, _, default, _ = calls(fake)
    assert "--size 16 48 48" in tiny
    assert "--size 32 128 128" in default
