"""Which datasets belong together, and who may not use them meanwhile."""

import json

import pytest

from mass_nnunet.annotation.group import alone, group_of, read_splits
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.lock import Lock, is_held
from tiny_group import CT, MODEL, MRI, entry


@pytest.fixture
def group(pair):
    return [RawDataset.load(801), RawDataset.load(802)]


def test_a_group_is_that_of_the_plans_and_of_the_suggestion(pair, group):
    assert [dataset.name for dataset in group_of(group[:1], [])] == [CT]
    assert [dataset.name for dataset in group_of(group[:1], [CT, MRI])] == [CT, MRI]
    plans = {"mass": {"modalities": [{"name": "CT", "dataset": CT}, {"name": "MRI", "dataset": MRI}]}}
    (pair / "preprocessed" / CT / "MASSPlans.json").write_text(json.dumps(plans))
    assert [dataset.name for dataset in group_of(group[:1], [])] == [CT, MRI]


def test_preprocessed_folders_are_locked(pair, group):
    folder = pair / "preprocessed" / CT
    with alone(group):
        assert is_held(folder)
        with pytest.raises(UserError, match="belongs to another `mass_nnunet plan` or `annotate-in`"), alone(group):
            pass
    assert not is_held(folder)


def test_nothing_is_done_while_a_training_runs(pair, group):
    fold = pair / "results" / MRI / MODEL / "fold_0"
    with Lock.take(fold, tidy=True):
        with pytest.raises(UserError, match=rf"{MODEL}/fold_0 belongs to another training: start again"), alone(group):
            pass
        with alone(group[:1]):  # a training of another group
            pass
    with alone(group):
        pass


def test_splits_are_those_of_all_datasets_or_of_none(pair, group):
    assert read_splits(group, 1)[MRI][0] == entry(pair, MRI)
    file = pair / "preprocessed" / MRI / "splits_final.json"
    file.write_text(json.dumps([{"train": [], "val": []}]))
    with pytest.raises(UserError, match="lacks 'unlabelled', as in splits that nnU-Net made"):
        read_splits(group, 0)
    file.unlink()
    with pytest.raises(UserError, match=r"splits_final.json does not exist: make it with `mass_nnunet split`"):
        read_splits(group, 0)
    (pair / "preprocessed" / CT / "splits_final.json").unlink()
    assert read_splits(group, 0) is None
