"""What a training was begun with, compared with what it would go on with."""

from copy import deepcopy

import pytest
import torch

from mass_nnunet.data.splits import Fold
from mass_nnunet.errors import UserError
from mass_nnunet.training.begun import KEY, begun_with, check_goes_on, dataset_key, differences, outside_maps, planned

PLANS = {
    "dataset_name": "Dataset801_A",
    "configurations": {"3d_fullres": {"patch_size": [8, 16, 16], "spacing": [1.23456789, 2.0, 2.0]}},
    "mass": {
        "modality": "CT",
        "modalities": [{"name": "CT", "dataset": "Dataset801_A"}],
        "epochs": 10,
        "iterations": 5,
        "validation_iterations": 1,
        "inference": "fused",
        "hyperparameters": {"learning_rate": 0.01},
    },
}
FOLD = Fold(("a",), ("b",), ("c",), 0.5, 0)


@pytest.fixture
def arrays(tmp_path):
    files = [tmp_path / f"{name}.b2nd" for name in "abc"]
    for size, file in enumerate(files):
        file.write_bytes(b"x" * size)
    return files


@pytest.fixture
def checkpoint(tmp_path, arrays):
    file = tmp_path / "checkpoint_latest.pth"
    now = {dataset_key("Dataset801_A"): begun_with(PLANS, {}, FOLD, arrays)}
    torch.save({KEY: now, "init_args": {"plans": PLANS}}, file)
    return file


NOW = {**PLANS["mass"]["hyperparameters"], "organ_contrast_in_ct": False}
"""Hyperparameters with one that older versions did not have."""


def changed(path: str, value: object) -> dict:
    plans = deepcopy(PLANS)
    *folders, name = path.split(".")
    content = plans
    for folder in folders:
        content = content[folder]
    content[name] = value
    return plans


def goes_on(checkpoint, arrays, plans=PLANS, changes=None, fold=FOLD):
    check_goes_on(checkpoint, {"Dataset801": begun_with(plans, changes or {}, fold, arrays)}, changes or {})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset_name", "Dataset801_B"),
        ("mass.modalities", [{"name": "CT", "dataset": "Dataset801_B"}]),
        ("mass.epochs", 20),
        ("mass.validation_iterations", 2),
        ("mass.inference", "segmentation"),
        ("configurations.3d_fullres.spacing", [1.23456999, 2.0, 2.0]),
    ],
)
def test_what_may_change(checkpoint, arrays, path, value):
    goes_on(checkpoint, arrays, changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("configurations.3d_fullres.patch_size", [8, 32, 32], r"patch_size \[8, 16, 16\] instead of \[8, 32, 32\]"),
        ("mass.iterations", 7, "iterations 5 instead of 7"),
        ("mass.hyperparameters", {"ramp": 0.5}, "learning_rate 0.01 instead of"),
        ("mass.modalities", [{"name": "CT", "dataset": "Dataset803_A"}], "modalities .*Dataset801.* instead of"),
    ],
)
def test_what_may_not_change_is_named(checkpoint, arrays, path, value, told):
    with pytest.raises(UserError, match=rf"was begun with something else, [^\n]*{told}[^\n]*train without --c"):
        goes_on(checkpoint, arrays, changed(path, value))


def test_hyperparameters_count_as_the_method_has_them(checkpoint, arrays):
    with pytest.raises(UserError, match="ramp"):
        goes_on(checkpoint, arrays, changes={"ramp": 0.9})
    assert planned(PLANS, {"ramp": 0.9})["mass"]["hyperparameters"]["ramp"] == 0.9


def test_another_split_and_other_scans(checkpoint, arrays):
    with pytest.raises(UserError, match=r"another split of Dataset801 \(val seed\)"):
        goes_on(checkpoint, arrays, fold=Fold(("a",), ("d",), ("c",), 0.5, 1))
    arrays[2].write_bytes(b"another scan")
    with pytest.raises(UserError, match="other preprocessed scans of Dataset801"):
        goes_on(checkpoint, arrays)


def test_a_model_of_another_version_of_the_method_is_validated_with_a_note_but_not_trained_on(
    checkpoint, arrays, capsys
):
    now = {"Dataset801": begun_with(PLANS, {}, FOLD, arrays) | {"revision": 2}}
    with pytest.raises(UserError, match="an earlier or later version of the method: train without --c"):
        check_goes_on(checkpoint, now, {})
    assert capsys.readouterr().err == ""
    check_goes_on(checkpoint, now, {}, only_validates=True)
    note = capsys.readouterr().err
    assert note.startswith(f"note: {checkpoint} was trained by an earlier or later version of its method, ")
    assert note.count("\n") == 1
    torch.save({KEY: now}, checkpoint)
    check_goes_on(checkpoint, now, {}, only_validates=True)
    assert capsys.readouterr().err == ""


def test_labels_of_another_tool(tmp_path, arrays, checkpoint):
    folder = tmp_path / "arrays"
    assert outside_maps(folder, FOLD) == {}
    before = begun_with(PLANS, {}, FOLD, arrays)
    assert begun_with(PLANS, {}, FOLD, arrays, outside_maps(folder, FOLD)) == before
    (tmp_path / "arrays_pseudo").mkdir()
    file = tmp_path / "arrays_pseudo" / f"{FOLD.unlabelled[0]}.b2nd"
    file.write_bytes(b"labels")
    (tmp_path / "arrays_pseudo" / f"{FOLD.val[0]}.b2nd").touch()
    now = begun_with(PLANS, {}, FOLD, arrays, outside_maps(folder, FOLD))
    assert (now["outside"]["maps"], now.keys() - before.keys()) == (1, {"outside"})
    check_goes_on(checkpoint, {"Dataset801": now}, {})  # of an older version: the scans tell whether they are the same
    torch.save({KEY: {"Dataset801": now}}, checkpoint)
    file.write_bytes(b"other labels")
    other = begun_with(PLANS, {}, FOLD, arrays, outside_maps(folder, FOLD))
    for changed_now in (other, before):
        with pytest.raises(UserError, match="other labels of another tool for Dataset801: train without --c"):
            check_goes_on(checkpoint, {"Dataset801": changed_now}, {})


def test_a_checkpoint_of_an_older_version_is_compared_by_its_plans(checkpoint, arrays):
    torch.save({"init_args": {"plans": changed("mass.hyperparameters", NOW)}}, checkpoint)
    goes_on(checkpoint, arrays, fold=Fold(("other",), ("d",), ("c",), 0.5, 1))
    with pytest.raises(UserError, match="iterations 5 instead of 7"):
        goes_on(checkpoint, arrays, changed("mass.iterations", 7))


def test_an_older_version_had_random_organ_contrast_in_ct(checkpoint, arrays):
    torch.save({"init_args": {"plans": PLANS}}, checkpoint)
    with pytest.raises(UserError, match="organ_contrast_in_ct true instead of false in the plans of Dataset801"):
        goes_on(checkpoint, arrays)
    goes_on(checkpoint, arrays, changed("mass.hyperparameters", {**NOW, "organ_contrast_in_ct": True}))


def test_a_file_that_is_no_checkpoint(tmp_path, arrays):
    file = tmp_path / "checkpoint_latest.pth"
    for content in (b"", b"no checkpoint"):
        file.write_bytes(content)
        with pytest.raises(UserError, match=r"^\S+/checkpoint_latest.pth [^\n]*$"):
            goes_on(file, arrays)


def test_the_settings_that_differ():
    before, now = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}, "e": "x" * 100}
    assert list(differences(before, now)) == [("c", "2", "4"), ("d", "3", "null"), ("e", "null", f'"{"x" * 59}...')]


def test_a_hyperparameter_that_an_older_version_did_not_have(checkpoint, arrays):
    content = torch.load(checkpoint, weights_only=True)
    before = content[KEY]["Dataset801"]["plans"]["mass"]["hyperparameters"]
    del before["place_margin"], before["weights"]["place"]
    torch.save(content, checkpoint)
    goes_on(checkpoint, arrays)
    with pytest.raises(UserError, match=r"place_margin 50\.0 instead of 7"):
        goes_on(checkpoint, arrays, changed("mass.hyperparameters", {"learning_rate": 0.01, "place_margin": 7.0}))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"init_args": 5},
        {KEY: 5},
        {KEY: {"Dataset801": 5}},
        {KEY: {"Dataset801": {"plans": 5}}},
        {KEY: {"Dataset801": {"plans": {"mass": 5}}}},
        {KEY: {"Dataset801": {"plans": {"mass": {"hyperparameters": {"weights": 5}}}}}},
        {KEY: {"Dataset801": {"plans": PLANS, "split": 5}}},
    ],
)
def test_a_record_of_another_form(checkpoint, arrays, content):
    torch.save(content, checkpoint)
    with pytest.raises(UserError, match=r"\.pth does not say what its training was begun with: train without --c"):
        goes_on(checkpoint, arrays)


def test_plans_of_another_form_in_a_checkpoint_of_an_older_version(checkpoint, arrays):
    torch.save({"init_args": {"plans": {"mass": {}}}}, checkpoint)
    with pytest.raises(UserError, match=r"\.pth has no dataset_name: train without --c to begin anew"):
        goes_on(checkpoint, arrays)
