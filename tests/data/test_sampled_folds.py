"""mass_nnunet.data.sampled_folds: nested, reproducible, and no patient where it must not be."""

from itertools import pairwise

import pytest

from mass_nnunet.data.files import write_json
from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset
from mass_nnunet.data.sampled_folds import make_folds
from mass_nnunet.data.splits import SPLITS_JSON, load_fold
from mass_nnunet.errors import UserError
from tiny_raw import write_raw_dataset

RATES = (0.1, 0.25, 0.5, 1.0)


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Ten patients with two scans each to train on and one without label, three without any label, one to test on."""
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    cases = [f"p{p:02d}_{s}" for p in range(10) for s in "ab"]
    unlabelled = [f"p{p:02d}_u" for p in range(13)]
    patients = {case: case[:3] for case in [*cases, *unlabelled, "t00_a"]}
    shape = (2, 4, 4)
    write_raw_dataset(tmp_path, "Dataset801_A", "CT", cases, unlabelled, ["t00_a"], shape=shape, patients=patients)
    return RawDataset.load(801)


def test_every_fold_holds_each_training_scan_once_and_no_test_scan(dataset):
    everything = {*dataset.cases(TRAINING), *dataset.cases(UNLABELLED)}
    for fold in make_folds(dataset, RATES, 3, 0.2):
        parts = [*fold.train, *fold.unlabelled, *fold.val]
        assert len(parts) == len(set(parts))
        left_out = everything - set(parts)
        assert left_out == {f"{case[:3]}_u" for case in fold.val}, "only extra scans of validation patients are unused"


def test_folds_run_over_seeds_and_then_rates(dataset):
    folds = make_folds(dataset, RATES, 3, 0.2)
    assert [(fold.seed, fold.label_rate) for fold in folds] == [(s, r) for s in range(3) for r in RATES]


def test_patients_are_whole_and_never_on_both_sides(dataset):
    for fold in make_folds(dataset, RATES, 3, 0.2):
        labelled, val = ({case[:3] for case in part} for part in (fold.train, fold.val))
        assert len(fold.train) == 2 * len(labelled), "both scans of a labelled patient"
        assert len(val) == 2 and not val & {case[:3] for case in (*fold.train, *fold.unlabelled)}


def test_label_counts_are_of_training_patients(dataset):
    counts = [len(fold.train) // 2 for fold in make_folds(dataset, RATES, 1, 0.2)]
    assert counts == [1, 2, 4, 8]


def test_nested_and_with_the_same_validation_cases(dataset):
    folds = make_folds(dataset, RATES, 3, 0.2)
    for seed in range(3):
        own = [fold for fold in folds if fold.seed == seed]
        assert len({fold.val for fold in own}) == 1
        for less, more in pairwise(own):
            assert set(less.train) < set(more.train)
    assert len({fold.val for fold in folds}) > 1, "seeds differ"


def test_deterministic_and_independent_of_the_other_rates(dataset):
    assert make_folds(dataset, RATES, 2, 0.2) == make_folds(dataset, RATES, 2, 0.2)
    assert make_folds(dataset, [0.5], 1, 0.2)[0] == make_folds(dataset, RATES, 2, 0.2)[2]


def test_at_least_one_patient_to_train_and_one_to_validate(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", ["a", "b"], shape=(2, 4, 4))
    for fraction in (0.01, 0.99):
        (fold,) = make_folds(RawDataset.load(802), [0.01], 1, fraction)
        assert (len(fold.train), len(fold.val), fold.unlabelled) == (1, 1, ())


def test_one_patient_is_too_few(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    patients = {"a": "x", "b": "x"}
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", ["a", "b"], shape=(2, 4, 4), patients=patients)
    with pytest.raises(UserError, match="scans of 1 patient"):
        make_folds(RawDataset.load(802), [0.5], 1, 0.2)


def test_a_test_patient_must_not_be_trained_on(dataset):
    patients = dataset.patients() | {"p12_u": "t00"}
    write_json(dataset.folder / "patients.json", patients)
    with pytest.raises(UserError, match=r"p12_u is there to train on, but patient t00 is in imagesTs \(t00_a\)"):
        make_folds(dataset, [0.5], 1, 0.2)


@pytest.mark.parametrize(
    ("rates", "seeds", "fraction", "message"),
    [
        ([0.0], 1, 0.2, "--label-rates 0 "),
        ([1.5], 1, 0.2, r"--label-rates 1\.5 "),
        ([], 1, 0.2, "at least one rate"),
        ([0.5, 0.5], 1, 0.2, "only once"),
        ([0.5], 0, 0.2, "--seeds 0 "),
        ([0.5], 1, 0.0, "--val-fraction 0 "),
        ([0.5], 1, 1.0, "--val-fraction 1 "),
    ],
)
def test_options_out_of_range(dataset, rates, seeds, fraction, message):
    with pytest.raises(UserError, match=message):
        make_folds(dataset, rates, seeds, fraction)
    with pytest.raises(UserError, match="--sparse 0 is no number of slices"):
        make_folds(dataset, [0.5], 1, 0.2, sparse=0)


def test_a_fold_survives_the_file(dataset, tmp_path):
    folds = make_folds(dataset, RATES, 2, 0.2)
    write_json(tmp_path / SPLITS_JSON, [fold.as_entry() for fold in folds])
    assert [load_fold(tmp_path, number) for number in range(len(folds))] == folds


def test_all_labels_can_be_hidden(dataset):
    hidden, usual = (make_folds(dataset, RATES, 2, 0.2, unlabelled=unlabelled) for unlabelled in (True, False))
    for fold, same in zip(hidden, usual, strict=True):
        assert (fold.val, fold.label_rate, fold.seed) == (same.val, same.label_rate, same.seed)
        assert fold.train == ()
        assert set(fold.unlabelled) == {*same.train, *same.unlabelled}


def test_scans_of_imagesun_alone_train_without_labels_or_validation(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", (), ["a", "b"], shape=(2, 4, 4))
    for fold in make_folds(RawDataset.load(802), [0.1, 1.0], 1, 0.2):
        assert (fold.train, fold.val, fold.unlabelled) == ((), (), ("a", "b"))


def test_one_patient_with_hidden_labels_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", ["a"], shape=(2, 4, 4))
    (fold,) = make_folds(RawDataset.load(802), [1.0], 1, 0.2, unlabelled=True)
    assert (fold.train, fold.val, fold.unlabelled) == ((), (), ("a",))


def test_a_dataset_without_scans_has_no_split(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", (), shape=(2, 4, 4))
    with pytest.raises(UserError, match=r"Dataset802_B holds no scan to train on: .* into imagesUn"):
        make_folds(RawDataset.load(802), [1.0], 1, 0.2)


def test_scans_that_are_annotated_in_part_train_and_are_not_validated_on(dataset, tmp_path):
    whole = make_folds(dataset, RATES, 3, 0.2)
    partly = {f"p{p:02d}_a": ["liver"] for p in range(0, 10, 2)}
    write_json(dataset.folder / "annotated.json", partly)
    folds = make_folds(dataset, RATES, 3, 0.2)
    for fold in folds:
        assert len(fold.val) == 4 and not {case[:3] for case in fold.val} & {case[:3] for case in partly}
        assert fold.annotated == {case: ("liver",) for case in partly if case in fold.train}
    assert all(len(fold.annotated) == 5 for fold in folds if fold.label_rate == 1)
    assert any(0 < len(fold.annotated) < len(fold.train) / 2 for fold in folds), "they are sampled like the others"
    write_json(tmp_path / SPLITS_JSON, [fold.as_entry() for fold in folds])
    assert [load_fold(tmp_path, number) for number in range(len(folds))] == folds
    assert not {"annotated", "sparse"} & whole[0].as_entry().keys()


def test_somebody_must_be_annotated_wholly(dataset):
    write_json(dataset.folder / "annotated.json", {f"p{p:02d}_a": ["liver"] for p in range(10)})
    with pytest.raises(UserError, match=r"annotated.json: each patient of imagesTr has .* none can be validated on"):
        make_folds(dataset, RATES, 1, 0.2)
    (fold,) = make_folds(dataset, [0.5], 1, 0.2, unlabelled=True)  # no label of it is used
    assert not fold.train and not fold.val and fold.unlabelled
