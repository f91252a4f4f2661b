"""``mass_nnunet evaluate``: what it prints and writes, and what it refuses."""

import json
import sys

import pandas as pd
import pytest

from closed_pipe import run_unread
from mass_nnunet.cli import main
from mass_nnunet.evaluation.command import format_table
from mass_nnunet.evaluation.scores import Rules, evaluate_folder, score_columns
from mass_nnunet.labels import LABELS
from refused_input import messages


def test_the_table_has_each_metric_once_with_its_digits(folders):
    header, *rows = format_table(evaluate_folder(*folders, Rules(LABELS, tolerances=[1, 2.5]))).splitlines()
    titles = ["Dice", "HD (mm)", "HD95 (mm)", "ASSD (mm)", "NSD 1mm", "NSD 2.5mm", "volume difference", "cases"]
    places = [header.index(f" {title}") for title in titles]
    assert places == sorted(places) and [row.split()[0] for row in rows] == ["spleen", "liver"]
    distance, share, volume = "0.0 ± nan", "1.000 ± nan", "0.000 ± nan"
    values = [share, distance, distance, distance, share, share, volume]
    assert " ".join(rows[1].split()) == f"liver {' '.join(values)} 1 0"


def test_command_prints_a_table_and_writes_rows(folders, tmp_path, capsys):
    table = tmp_path / "scores.csv"
    assert main(["evaluate", *map(str, folders), "--csv", str(table), "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert "0.500 ± 0.707" in printed and "not found" in printed
    rows = pd.read_csv(table)
    assert len(rows) == 8 and rows.columns.tolist() == score_columns()


def test_command_takes_several_tolerances(folders, tmp_path, capsys):
    table = tmp_path / "scores.csv"
    options = ["--tolerance", "3", "0.5", "3", "--csv", str(table), "-np", "1"]
    assert main(["evaluate", *map(str, folders), *options]) == 0
    assert "NSD 0.5mm" in capsys.readouterr().out
    assert pd.read_csv(table).columns.tolist() == score_columns([0.5, 3])


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "two"])
def test_command_refuses_what_is_no_tolerance(folders, tolerance, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", *map(str, folders), "--tolerance=" + tolerance])
    assert "--tolerance" in capsys.readouterr().err


def test_command_prefers_the_labels_beside_the_predictions(folders, capsys):
    labels = {"background": 0, "milt": 1, "lever": 4}
    (folders[0] / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".nii.gz"}))
    assert main(["evaluate", *map(str, folders), "-np", "1"]) == 0
    printed = capsys.readouterr()
    assert "milt" in printed.out
    theirs = folders[1].parent / "dataset.json"
    assert f"note: 1 is milt in {folders[0] / 'dataset.json'} and spleen in {theirs}: taken for the same" in printed.err


def test_an_organ_that_has_another_value_in_the_predictions_is_refused(folders, capsys):
    """The liver of the predictions would be scored as the spleen of the truth."""
    ours, theirs = folders[0] / "dataset.json", folders[1].parent / "dataset.json"
    ours.write_text(json.dumps({"labels": {"background": 0, "liver": 1, "spleen": 4}}))
    assert main(["evaluate", *map(str, folders), "-np", "1"]) == 2
    assert f"error: {ours} has liver 1, and {theirs} has liver 4: give the predictions the" in capsys.readouterr().err
    theirs.write_text(json.dumps({"labels": {"0": "background", "1": "liver", "4": "spleen"}}))  # tells no values
    assert main(["evaluate", *map(str, folders), "-np", "1"]) == 0


def test_command_needs_folders_and_a_dataset_json(folders, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "no"), str(folders[1])]) == 2
    assert "is not a folder" in capsys.readouterr().err
    (folders[1].parent / "dataset.json").unlink()
    assert main(["evaluate", *map(str, folders)]) == 2
    assert "has no dataset.json" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-3"])
def test_command_needs_a_process(folders, number, capsys):
    assert main(["evaluate", *map(str, folders), "-np", number]) == 2
    assert capsys.readouterr().err == f"mass_nnunet evaluate: error: -np {number} is not at least 1\n"


@pytest.mark.parametrize("is_given_whole", [True, False])
def test_the_folder_of_the_truth_may_be_a_link(folders, tmp_path, monkeypatch, is_given_whole, capsys):
    predictions, truth = folders
    truth.rename(tmp_path / "elsewhere")
    truth.symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(truth.parent)
    assert main(["evaluate", str(predictions), str(truth) if is_given_whole else truth.name, "-np", "1"]) == 0
    (truth.parent / "dataset.json").rename(tmp_path / "dataset.json")  # beside the folder, not beside the link
    assert main(["evaluate", str(predictions), str(truth), "-np", "1"]) == 0
    truth.unlink()
    truth.symlink_to(tmp_path / "gone")
    assert main(["evaluate", str(predictions), str(truth), "-np", "1"]) == 2
    assert f"{truth} is a broken link" in capsys.readouterr().err


def test_labels_of_another_form(folders, capsys):
    file = folders[1].parent / "dataset.json"
    file.write_text(json.dumps({"labels": {"0": "background", "1": "spleen"}}))
    assert main(["evaluate", *map(str, folders), "-np", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file} has" in line and 'write "labels": {"background": 0, "spleen": 1, "liver": 2}' in line


@pytest.mark.parametrize("both", [False, True])
def test_a_closed_pipe_is_quiet_and_the_rows_are_written(folders, tmp_path, both):
    """As in ``mass_nnunet evaluate ... --csv scores.csv | head -1``."""
    command = [sys.executable, "-m", "mass_nnunet.cli", "evaluate", *map(str, folders), "-np", "1"]
    status, errors = run_unread([*command, "--csv", str(tmp_path / "scores.csv")], both, 120)
    assert status == 0
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 8
    assert both or messages(errors.decode()) == []


def test_annotated_json_beside_the_truth_counts(folders, tmp_path):
    predictions, truth = folders
    (truth.parent / "annotated.json").write_text(json.dumps({"a": ["liver"]}))
    csv = tmp_path / "s.csv"
    assert main(["evaluate", str(predictions), str(truth), "--csv", str(csv)]) == 0
    scores = pd.read_csv(csv)
    assert set(scores[scores["case"] == "a"]["organ"]) == {"liver"}
    assert len(set(scores[scores["case"] != "a"]["organ"])) > 1
