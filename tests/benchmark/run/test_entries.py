from pathlib import Path

import pytest

from mass_nnunet.benchmark.run.entries import External, check_unique, read_external
from mass_nnunet.errors import UserError

FILE = Path("/grids/grid.yaml")


def test_a_folder_is_relative_to_the_file_of_the_grid():
    assert read_external(FILE, {"A": "one/two", "B": {"folder": "/three"}}) == (
        External("A", Path("/grids/one/two")),
        External("B", Path("/three")),
    )


def test_labels_are_values_or_lists_of_them_and_go_back_to_yaml():
    content = {"A": {"folder": "/one", "labels": {"liver": 5, "kidneys": [2, 3], "spleen": []}}}
    (external,) = read_external(FILE, content)
    assert external.labels == {"liver": 5, "kidneys": (2, 3), "spleen": ()}
    assert {external.name: external.as_yaml()} == content
    assert read_external(FILE, {"A": "/one"})[0].as_yaml() == "/one"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (["A"], "external is ['A']: give it as in `external: {TotalSegmentator: folder}`"),
        ({"A": 3}, "external A has the folder 3: give it as in"),
        ({"A": {}}, "external A has the folder None: give it as in"),
        ({"A/B": "x"}, "external has 'A/B', which cannot be: a name begins with a letter or digit"),
        ({7: "x"}, "external has 7, which cannot be"),
        ({"A": {"folder": "x", "values": {}}}, "external A has the key 'values': it may have folder and labels"),
        ({"A": {"folder": "x", "labels": [1]}}, "external A has the labels [1]: give them as in"),
        ({"A": {"folder": "x", "labels": {"liver": 0}}}, "external A has the label 'liver': 0: give them as in"),
        ({"A": {"folder": "x", "labels": {"liver": True}}}, "external A has the label 'liver': True"),
        ({"A": {"folder": "x", "labels": {"a": 1, "b": [2, 1]}}}, "external A has the value 1 twice"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content, text):
    with pytest.raises(UserError) as error:
        read_external(FILE, content)
    assert str(error.value).startswith(f"{FILE}: {text}")
    assert "\n" not in str(error.value)


def test_names_are_those_of_folders_on_every_file_system():
    check_unique(FILE, ["A", "B"])
    with pytest.raises(UserError, match="two rows have the name 'A'"):
        check_unique(FILE, ["A", "B", "A"])
    with pytest.raises(UserError, match="'A' and 'a' differ in upper and lower case only"):
        check_unique(FILE, ["A", "a"])
