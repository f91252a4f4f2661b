from pathlib import Path

import pytest

from mass_nnunet.benchmark.run.entries import External, Method, check_unique, read_external, read_methods
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
        ({"A/B": "x"}, "external has 'A/B', which is not allowed: a name begins with a letter or digit"),
        ({7: "x"}, "external has 7, which is not allowed"),
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


def test_methods_are_names_or_trainers_with_plans_of_their_own():
    stock = {"trainer": "nnUNetTrainer", "plans": "nnUNetPlans", "name": "stock", "epochs": 5}
    plain, other, default = read_methods(FILE, ["MASSTrainer", stock, {"trainer": "B", "name": "b"}], "P", "3d")
    assert plain == "MASSTrainer"
    assert other == Method("stock", "nnUNetTrainer", "nnUNetPlans", "3d", 5)
    assert other.as_yaml() == stock | {"configuration": "3d"}
    assert default == Method("b", "B", "P", "3d")
    assert "epochs" not in default.as_yaml()


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (3, "methods has 3, which is not allowed: give it as in `methods: [MASSTrainer, {trainer: nnUNetTrainer"),
        ("a b", "methods has 'a b', which is not allowed"),
        ({"trainer": "A", "seed": 3}, "methods has the key 'seed': it may have name, trainer, plans, configuration"),
        ({"name": "A"}, "methods has the trainer None: give it as in"),
        ({"trainer": "A", "plans": 3}, "methods has the plans 3: give it as in"),
        ({"trainer": "a.b"}, "methods has the trainer 'a.b', which is no name of a class"),
        ({"trainer": "A", "name": "a/b"}, "methods has 'a/b', which is not allowed: a name begins with"),
        ({"trainer": "A", "name": ".a"}, "methods has '.a', which is not allowed: a name begins with"),
        ({"trainer": "A", "epochs": 0}, "methods has the epochs 0: give 1 or more"),
        ({"trainer": "A", "epochs": "5"}, "methods has the epochs '5': give 1 or more"),
    ],
)
def test_what_is_wrong_with_a_method_is_said_in_one_line(entry, text):
    with pytest.raises(UserError) as error:
        read_methods(FILE, [entry], "P", "3d")
    assert str(error.value).startswith(f"{FILE}: {text}")
    assert "\n" not in str(error.value)
