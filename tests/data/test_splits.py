"""mass_nnunet.data.splits: folds in the file, and what is refused of it."""

from dataclasses import replace

import pytest

from mass_nnunet.data.files import write_json
from mass_nnunet.data.splits import SPLITS_JSON, Fold, check_overlap, find_fold, load_fold
from mass_nnunet.errors import UserError


def test_a_fold_survives_the_file(tmp_path):
    plain = Fold(("a", "b"), ("c",), ("d",), 0.5, 1)
    folds = [plain, replace(plain, annotated={"b": ("liver",)}, sparse=3)]
    write_json(tmp_path / SPLITS_JSON, [fold.as_entry() for fold in folds])
    assert [load_fold(tmp_path, number) for number in (0, 1)] == folds
    assert not {"annotated", "sparse"} & plain.as_entry().keys()


def test_overlap_is_found():
    patients = {"a1": "a", "a2": "a", "b": "b"}
    check_overlap(Fold(("a1",), ("b",), ("a2",), 0.5, 0), patients, "here")
    with pytest.raises(UserError, match="here: a2 is in training, but its patient a is validated on"):
        check_overlap(Fold(("b",), ("a1",), ("a2",), 0.5, 0), patients, "here")
    with pytest.raises(UserError, match="a1 is in training"):
        check_overlap(Fold(("a1",), ("a2",), (), 0.5, 0), patients, "here")
    with pytest.raises(UserError, match="a1 is both labelled and unlabelled"):
        check_overlap(Fold(("a1",), ("b",), ("a1",), 0.5, 0), patients, "here")
    with pytest.raises(UserError, match="here: a2 is twice in unlabelled: run `mass_nnunet split` again"):
        check_overlap(Fold(("a1",), ("b",), ("a2", "a2"), 0.5, 0), patients, "here")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"val": ["a", "b"]}, "a is in training, but its patient a is validated on"),
        ({"unlabelled": ["b", "c"]}, "b is in training, but its patient b is validated on"),
        ({"unlabelled": ["a", "c"]}, "a is both labelled and unlabelled"),
        ({"train": ["a", "a"]}, "a is twice in train"),
    ],
)
def test_a_fold_that_was_edited_so_that_a_scan_is_in_two_parts_is_refused(tmp_path, change, told):
    entry = Fold(("a",), ("b",), ("c",), 0.5, 0).as_entry()
    write_json(tmp_path / SPLITS_JSON, [entry, entry | change])
    assert load_fold(tmp_path, 0).train == ("a",)
    with pytest.raises(UserError, match=f"^fold 1 in {tmp_path / SPLITS_JSON}: {told}: run `mass_nnunet split` again$"):
        load_fold(tmp_path, 1)


def test_folds_that_do_not_exist(tmp_path):
    with pytest.raises(UserError, match=r"splits_final.json does not exist: make it with `mass_nnunet split`"):
        load_fold(tmp_path, 0)
    write_json(tmp_path / SPLITS_JSON, [Fold(("a",), ("b",), (), 1.0, 0).as_entry()] * 6)
    for fold in (7, 6, -1, "all"):
        with pytest.raises(UserError, match=rf"fold {fold} does not exist in .*splits_final.json, which has folds 0-5"):
            load_fold(tmp_path, fold)


def test_splits_that_nnunet_made_are_refused(tmp_path):
    write_json(tmp_path / SPLITS_JSON, [{"train": ["a"], "val": ["b"]}])
    with pytest.raises(UserError, match=r"fold 0 in .* lacks 'unlabelled'"):
        load_fold(tmp_path, 0)


def test_a_fold_is_found_by_its_rate_and_seed(tmp_path):
    folds = [{"label_rate": rate, "seed": seed} for seed in (0, 1) for rate in (0.1, 0.3)]
    write_json(tmp_path / SPLITS_JSON, folds)
    assert [find_fold(tmp_path, rate, seed) for seed in (0, 1) for rate in (0.1, 0.1 + 0.2)] == [0, 1, 2, 3]
    with pytest.raises(UserError, match=r"no fold with label rate 0.5 and seed 1: make it with `mass_nnunet split`"):
        find_fold(tmp_path, 0.5, 1)


@pytest.mark.parametrize("content", [{}, [5], ["train"], None, 5])
def test_splits_that_are_no_list_of_folds(tmp_path, content):
    write_json(tmp_path / SPLITS_JSON, content)
    for use in (lambda: load_fold(tmp_path, 0), lambda: find_fold(tmp_path, 0.5, 0)):
        with pytest.raises(UserError, match=r"splits_final.json is not of the form \[\{\"train\": .*: make it with"):
            use()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train", "a"),
        ("train", [1]),
        ("val", None),
        ("unlabelled", {}),
        ("label_rate", True),
        ("label_rate", 0),
        ("label_rate", float("nan")),
        ("seed", 0.5),
        ("seed", -1),
        ("sparse", 0),
        ("annotated", ["a"]),
        ("annotated", {"a": "liver"}),
    ],
)
def test_an_entry_of_another_form_is_named(tmp_path, key, value):
    entry = Fold(("a",), ("b",), (), 1.0, 0).as_entry() | {key: value}
    write_json(tmp_path / SPLITS_JSON, [entry])
    with pytest.raises(UserError, match=rf"^fold 0 in .*json has {key} .*, which is of another form: make it with"):
        load_fold(tmp_path, 0)
