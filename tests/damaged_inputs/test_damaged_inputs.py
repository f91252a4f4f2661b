import re
from pathlib import Path

import pytest

from dicom_export import SECRETS
from file_edits import nothing
from refusals_table import DAMAGES, table
from refused_input import PREFIX, RAW, Damage, messages, visible
from sound_datasets import SOURCES


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_one_line_with_file_and_remedy_and_no_dataset(damage, tmp_path, capfd):
    if not damage.can_happen_here():
        pytest.skip("not on Windows, or root cannot give up its right to ignore permissions here")
    damage.prepare(tmp_path)
    before = visible(tmp_path / RAW)
    capfd.readouterr()
    code = damage.convert(tmp_path)
    lines = messages(capfd.readouterr().err)
    assert code == 2
    assert len(lines) == 1, lines
    (line,) = lines
    assert damage.tells(line), line
    assert not [secret for secret in SECRETS if secret in line]
    assert not re.search(r"0x[0-9a-f]{6}", line), "an address in memory tells a user nothing"
    assert visible(tmp_path / RAW) == before


@pytest.mark.parametrize("source", SOURCES)
def test_without_a_damage_there_is_a_dataset(source, tmp_path, capfd):
    """Otherwise the test above could take its own mistake for the damage."""
    sound = Damage(source, "none", nothing, "")
    sound.prepare(tmp_path)
    capfd.readouterr()
    assert sound.convert(tmp_path) == 0
    assert messages(capfd.readouterr().err) == []
    assert any(name.endswith("dataset.json") for name in visible(tmp_path / RAW))


def test_damages_differ():
    assert len({damage.name for damage in DAMAGES}) == len(DAMAGES)
    assert {damage.source for damage in DAMAGES} == SOURCES.keys()


def test_a_damage_tells_its_line_only():
    damage = Damage("btcv", "x", nothing, "img ... (a.b): do this")
    assert damage.tells("mass_nnunet convert: error: /tmp/img 2 (a.b): do this")
    for line in ("img 2 (a.b): do this", "mass_nnunet convert: error: img 2 (aXb): do this", "error: img (a.b): do"):
        assert not damage.tells(line)


def test_the_document_has_every_damage_with_its_line():
    document = (Path(__file__).parents[2] / "docs/damaged_inputs.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", document, re.MULTILINE)[2:])
    assert list(rows) == [damage.name for damage in DAMAGES]
    for damage in DAMAGES:
        assert damage.tells(PREFIX + rows[damage.name].replace(r"\|", "|")), damage.name


def test_table_names_no_folder_of_this_machine():
    head, rule, row = table(DAMAGES[:1])
    assert head.count("|") == rule.count("|") == row.count("|") == 3
    assert row.startswith("| NIfTI (.nii.gz) cut short | src/Training/img/img0002.nii.gz cannot be read (")
