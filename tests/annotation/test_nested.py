"""Folds that extend others."""

import pytest

from mass_nnunet.annotation.nested import extend, newest, set_structures, validate_too
from mass_nnunet.errors import UserError


def entry(train, val, unlabelled, **more):
    return {
        "train": list(train),
        "val": list(val),
        "unlabelled": list(unlabelled),
        "label_rate": 0.1,
        "seed": 0,
        **more,
    }


def splits():
    return {
        "A": [entry("a", "v", "bcd"), entry("abc", "v", "d")],
        "B": [entry("k", "w", "lm"), entry("kl", "w", "m")],
    }


def test_annotated_scans_are_moved_in_a_new_fold_of_all_datasets():
    found, before = splits(), splits()
    assert extend(found, 0, {"A": ["c"]}) == 2
    assert {name: entries[:2] for name, entries in found.items()} == before
    assert found["A"][2] == entry("ac", "v", "bd", extends=0)
    assert found["B"][2] == entry("k", "w", "lm", extends=0)


def test_later_ones_extend_the_newest_and_a_second_time_changes_nothing():
    found = splits()
    extend(found, 0, {"A": ["c"]})
    assert extend(found, 0, {"B": ["m"]}) == 3
    assert found["A"][3] == entry("ac", "v", "bd", extends=2)
    assert found["B"][3] == entry("km", "w", "l", extends=2)
    before = str(found)
    assert extend(found, 0, {"A": ["c"], "B": ["m"]}) == 3
    assert extend(found, 2, {"A": ["c"]}) == 3
    assert str(found) == before
    assert extend(found, 1, {"A": ["d"]}) == 4, "another fold is not in this chain"
    assert found["A"][4] == entry("abcd", "v", "", extends=1)
    assert [newest(found, base) for base in range(5)] == [3, 4, 3, 3, 4]


def test_an_interruption_between_datasets_is_made_good():
    whole = splits()
    extend(whole, 0, {"A": ["c"], "B": ["m"]})
    for name in "AB":
        broken = splits() | {name: whole[name]}
        assert extend(broken, 0, {"A": ["c"], "B": ["m"]}) == 2
        assert broken == whole


def test_splits_of_different_lengths_that_were_not_extended_are_refused():
    found = splits()
    del found["B"][1]
    with pytest.raises(UserError, match="B has fewer folds than another dataset of its group: split them together"):
        extend(found, 0, {"A": ["c"]})


def test_what_else_an_entry_says_stays():
    found = {"A": [entry("a", "v", "bc", annotated={"a": ["liver"]}, sparse=3)]}
    extend(found, 0, {"A": ["b"]})
    assert found["A"][1] == entry("ab", "v", "c", annotated={"a": ["liver"]}, sparse=3, extends=0)


def test_scans_of_validated_patients_are_validated_on():
    entries = [entry("a", "v", "b"), entry("v", "a", "b"), entry("a", "b", "v")]
    assert validate_too(entries, "x", ["v", "x"]) == [0]
    assert [one["val"] for one in entries] == [["v", "x"], ["a"], ["b"]]
    assert validate_too(entries, "x", ["v", "x"]) == []
    assert entries[0]["val"] == ["v", "x"]


def test_structures_are_said_where_a_scan_is_trained_on():
    entries = [entry("ab", "v", "", annotated={"a": ["liver"]}), entry("a", "v", "b")]
    set_structures(entries, "b", ["spleen"])
    assert [one.get("annotated") for one in entries] == [{"a": ["liver"], "b": ["spleen"]}, None]
    set_structures(entries, "b", None)
    set_structures(entries, "a", None)
    assert entries == [entry("ab", "v", ""), entry("a", "v", "b")]
