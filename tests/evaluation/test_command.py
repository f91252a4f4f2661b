"""``mass_nnunet evaluate``: what it prints and writes, and what it refuses."""

import json

import pandas as pd
import pytest

from mass_nnunet.cli import main
from mass_nnunet.evaluation.command import format_table
from mass_nnunet.evaluation.scores import evaluate_folder, score_columns
from mass_nnunet.labels import LABELS


def test_the_table_has_each_metric_once_with_its_digits(folders):
    header, *rows = format_table(evaluate_folder(*folders, LABELS, tolerances=[1, 2.5])).splitlines()
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
    assert "milt" in capsys.readouterr().out


def test_command_needs_folders_and_a_dataset_json(folders, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "no"), str(folders[1])]) == 2
    assert "is not a folder" in capsys.readouterr().err
    (folders[1].parent / "dataset.json").unlink()
    assert main(["evaluate", *map(str, folders)]) == 2
    assert "has no dataset.json" in capsys.readouterr().err
