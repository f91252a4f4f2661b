import json

import pytest

from mass_nnunet.data.annotated import ANNOTATED_JSON, read_annotated
from mass_nnunet.errors import UserError

STRUCTURES = ("background", "spleen", "liver", "ignore")


def write(folder, content) -> None:
    (folder / ANNOTATED_JSON).write_text(json.dumps(content))


def test_only_cases_that_lack_a_structure_count(tmp_path):
    assert read_annotated(tmp_path, STRUCTURES) == {}
    write(tmp_path, {"a": ["liver"], "b": ["liver", "spleen"]})
    assert read_annotated(tmp_path, STRUCTURES) == {"a": ("liver",)}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (["liver"], r"annotated.json is not of the form"),
        ({"a": "liver"}, r"annotated.json is not of the form"),
        ({"a": ["heart"]}, r"annotated.json names heart in a, but the structures are spleen, liver"),
        ({"a": []}, r"annotated.json names no structure in a: move the scan to imagesUn"),
    ],
)
def test_wrong_files(tmp_path, content, line):
    write(tmp_path, content)
    with pytest.raises(UserError, match=line):
        read_annotated(tmp_path, STRUCTURES)
