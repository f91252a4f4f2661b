"""Which scans can be annotated next, and that no label is read to say so."""

import json

import pytest

from exported_scans import CASES, UNLABELLED
from mass_nnunet.annotation.pool import load_pool, load_pools
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from tiny_group import CT, MRI, entry


def test_candidates_are_the_unlabelled_scans_of_the_fold_and_no_validation_or_test_scan(pair):
    pool, fold = load_pool(RawDataset.load(801), 0), entry(pair, CT)
    assert set(pool.unlabelled) == {*CASES[CT], *UNLABELLED[CT]} - {*fold["train"], *fold["val"]}
    assert pool.annotated == tuple(fold["train"])
    assert pool.modality == "CT"
    assert [file.parent.name for case in ("ctun", pool.unlabelled[0]) for file in pool.files(case)] == [
        "imagesUn",
        "imagesTr",
    ]


def test_labels_are_not_opened(pair):
    before = load_pool(RawDataset.load(802), 0)
    for file in (pair / "raw").rglob("labelsT*/*"):
        file.write_bytes(b"garbage")
    after = load_pool(RawDataset.load(802), 0)
    assert (after.unlabelled, after.annotated) == (before.unlabelled, before.annotated)


def test_other_scans_of_a_patient_who_is_validated_on_are_left_out(pair):
    fold = entry(pair, CT)
    names = {case: case for case in (*CASES[CT], *UNLABELLED[CT], "cttest")} | {"ctun": fold["val"][0]}
    (pair / "raw" / CT / "patients.json").write_text(json.dumps(names))
    file = pair / "preprocessed" / CT / "splits_final.json"
    folds = json.loads(file.read_text())
    for one in folds:
        one["unlabelled"].remove("ctun")
    file.write_text(json.dumps(folds))
    assert "ctun" not in load_pool(RawDataset.load(801), 0).unlabelled
    file.unlink()
    names["ctzz"] = names["cttest"]
    (pair / "raw" / CT / "patients.json").write_text(json.dumps(names))
    pool = load_pool(RawDataset.load(801), 0)
    assert (pool.unlabelled, pool.annotated) == (("ctun",), CASES[CT])


def test_splits_that_are_older_than_the_dataset_are_refused(pair):
    (pair / "raw" / MRI / "imagesUn" / "mrun_0000.nii.gz").unlink()
    with pytest.raises(UserError, match=r"fold 0 in .* has mrun, not in imagesTr or imagesUn"):
        load_pool(RawDataset.load(802), 0)
    with pytest.raises(UserError, match="fold 7 does not exist"):
        load_pool(RawDataset.load(801), 7)


def test_without_any_candidate_there_is_nothing_to_suggest(pair):
    with pytest.raises(UserError, match="no scan without annotation"):
        for name in (CT, MRI):
            file = pair / "preprocessed" / name / "splits_final.json"
            folds = json.loads(file.read_text())
            folds[0]["train"] += folds[0]["unlabelled"]
            for case in UNLABELLED[name]:
                for kind in ("image", "label"):
                    ending = "_0000.nii.gz" if kind == "image" else ".nii.gz"
                    target = pair / "raw" / name / f"{kind}sTr" / f"{case}{ending}"
                    target.write_bytes(b"")
                (pair / "raw" / name / "imagesUn" / f"{case}_0000.nii.gz").unlink()
            folds[0]["unlabelled"] = []
            file.write_text(json.dumps(folds))
        load_pools([801, 802], 0)
