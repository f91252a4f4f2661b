import json
from dataclasses import replace

import numpy as np
import pytest

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.checks import report
from mass_nnunet.dataset_conversion.checks.findings import Finding, Level
from mass_nnunet.dataset_conversion.checks.inspection import Preview
from mass_nnunet.dataset_conversion.checks.report import describe_check, findings, refuse_errors, table, write_check
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from measures import checked, measures, organ


def found(level: Level, name: str = "a"):
    return checked(name, findings=(Finding(level, level.value.upper()),))


def test_errors_are_raised_a_line_each():
    refuse_errors([found(Level.WARNING), found(Level.NOTE)])
    with pytest.raises(UserError, match=r"^a \(labels/a\): ERROR\nb \(labels/b\): ERROR$"):
        refuse_errors([found(Level.ERROR), checked("c"), found(Level.ERROR, "b")])


def test_warnings_come_first_and_nothing_is_said_of_sound_cases():
    cases = [found(Level.NOTE), checked("b"), found(Level.ERROR, "c"), found(Level.WARNING, "d")]
    expected = ["warning: d (labels/d): WARNING", "note: a (labels/a): NOTE"]
    assert findings(cases, None) == findings(cases, ["liver"]) == expected


def test_findings_of_one_kind_in_many_scans_have_one_line():
    blunt = [Finding(Level.WARNING, f"{organ} ends bluntly") for organ in ("liver", "spleen")]
    cases = [checked(f"case{number:02d}", findings=(blunt[0],)) for number in range(13)]
    cases[5] = replace(cases[5], findings=(*blunt, Finding(Level.NOTE, "turned")))
    cases.append(checked("other", findings=(Finding(Level.WARNING, "no liver"),)))
    several = "13 scans (case00, case01, case02, ...; all in check.json): liver ends bluntly"
    rest = ["warning: other (labels/other): no liver", "note: case05 (labels/case05): turned"]
    assert findings(cases, ["liver", "spleen"]) == [f"warning: {several}", *rest]
    assert len(findings(cases, None)) == len(describe_check(cases, LABELS, together=False).splitlines()) - 2 == 14
    assert describe_check(cases, LABELS).startswith(f"warning: {several}\n")


def test_table_has_a_row_for_each_part():
    large = measures(organs={"liver": organ("liver", volume_ml=2500.0)}, size=(61, 300, 256), spacing=(5, 1.5, 1.5))
    cases = [
        *(checked("a"), checked("b", measures=large, patient="a"), found(Level.WARNING, "c")),
        checked("d", part=Part.UNLABELLED, measures=measures(organs=None)),
        checked("e", part=None, measures=None),
    ]
    head, training, unlabelled, left_out = table(cases, LABELS).splitlines()
    assert head.split() == [
        *("scans", "patients", "errors", "warnings", "voxels", "z", "y", "x", "mm", "spleen", "ml", "right_kidney"),
        *("ml", "left_kidney", "ml", "liver", "ml"),
    ]
    assert training.split() == "training 3 2 0 1 60 256 256 4 1.5 1.5 200 150 160 1500".split()  # noqa: SIM905
    assert unlabelled.split()[-4:] == ["-"] * 4
    assert left_out.split() == ["left", "out", "1", "1", "0", "0", *["-"] * 6]


def test_json_and_picture(tmp_path):
    case = replace(found(Level.WARNING), measures=measures())
    preview = Preview(np.zeros((20, 30), np.uint8), np.eye(20, 30, dtype=np.uint8), 1.0)
    printed = write_check(tmp_path, [case, checked("b", part=None)], {"a": preview}, LABELS)
    assert printed.startswith("warning: a (labels/a): WARNING\n")
    content = json.loads((tmp_path / "check.json").read_text())
    assert content["a"]["findings"] == [{"level": "warning", "text": "WARNING"}]
    assert content["a"]["measures"]["organs"]["liver"]["centre_mm"] == [-70, 0, 60]
    assert content["b"]["part"] == "left out"
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")


def test_many_cases_have_several_pictures_and_those_of_more_cases_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "CASES", 2)
    drawn: dict[str, list[str]] = {}

    def plot(cases, previews, labels, path):
        drawn[path.name] = [case.name for case in cases]
        path.touch()

    monkeypatch.setattr(report, "plot_overview", plot)
    preview = Preview(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8), 1.0)
    for names, pictures in (("abcde", 3), ("abcd", 2), ("a", 1)):
        drawn.clear()
        write_check(tmp_path, [checked(name) for name in names], dict.fromkeys(names, preview), LABELS)
        assert [name for page in drawn.values() for name in page] == list(names)
        assert list(drawn) == ["overview.png", "overview_2.png", "overview_3.png"][:pictures]
        assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(drawn)


def test_pictures_of_the_user_stay_and_those_of_before_go_where_nothing_can_be_shown(tmp_path):
    own = ["overview_mine.png", "overview_2b.png", "my_overview.png"]
    for name in (*own, "overview.png", "overview_2.png"):
        (tmp_path / name).touch()
    write_check(tmp_path, [checked("a", measures=None)], {}, LABELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*own, "check.json"])


def test_no_picture_where_nothing_can_be_shown(tmp_path):
    write_check(tmp_path, [checked("a", measures=None)], {}, LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["check.json"]
