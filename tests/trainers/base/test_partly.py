"""Trainers on scans in which not all was annotated: their labels, loss, atlases and unlabelled scans."""

import json
from pathlib import Path

import numpy as np
import pytest
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss

from mass_nnunet.objectives.marginal import MarginalLoss
from mass_nnunet.training.annotation import AnnotatedDataset
from tiny_group import CT, MRI, entry, trainer


def change_fold(root: Path, name: str, **changes: object) -> None:
    """Change fold 1, in which four scans are annotated."""
    file = root / "preprocessed" / name / "splits_final.json"
    folds = json.loads(file.read_text())
    folds[1] |= changes
    file.write_text(json.dumps(folds))


def labels_of(one, case: str) -> np.ndarray:
    return one.load_preprocessed(case)[1]


@pytest.mark.parametrize("name", ["MASSTrainer", "SupervisedTrainer"])
def test_where_all_is_annotated_it_is_nnunets_trainer(root, name):
    one = trainer(name, fold=1)
    one.initialize()
    assert one.possible.everything_known and one.label_manager.ignore_label is None
    assert isinstance(one.loss.supervised.loss if name == "MASSTrainer" else one.loss.loss, DC_and_CE_loss)
    one.loss = None
    assert not any(isinstance(part, AnnotatedDataset) for part in one.get_tr_and_val_datasets())


def test_structures_that_were_not_annotated(root):
    train = entry(root, CT, 1)["train"]
    # Beside the raw dataset a fold is checked; a cluster may have none.
    (root / "raw").rename(root / "away")
    change_fold(root, CT, annotated={train[0]: ["liver"]})
    ours, partner = trainer("MASSTrainer", "801", fold=1), trainer("MASSTrainer", "802", fold=1)
    for one in (ours, partner):
        one.initialize()
        assert isinstance(one.loss.supervised.loss, MarginalLoss)
        assert one.marginal(one.loss.supervised) is one.loss.supervised
        assert (one.possible.unannotated, one.label_manager.ignore_label) == (((1, 2, 3),), None)
    found = set(np.unique(labels_of(ours, train[0])))
    assert {4, 5} <= found <= {0, 4, 5}, "the liver, what is not known, and where the image is empty"
    assert set(np.unique(labels_of(ours, train[1]))) == set(range(5))
    assert train[0] not in ours.atlas_cases(len(train) - 1)
    assert train[0] not in ours.atlas_cases(len(train))
    assert sorted(ours.hidden_scans().identifiers) == sorted(["ctun", train[0]])
    _, patches = ours.atlas_patches(len(train))
    assert max(int(patch.max()) for patch in patches) == 4, "all of an atlas is known"

    alone = trainer("DTCTrainer", "802", fold=1)
    assert alone.possible.everything_known, "another dataset's scans are not its own"


def test_slices_between_annotated_ones(root):
    for name in (CT, MRI):
        change_fold(root, name, sparse=4)
    one = trainer("SupervisedTrainer", fold=1)
    one.initialize()
    assert one.label_manager.ignore_label == 5 and isinstance(one.loss.loss, DC_and_CE_loss)
    training, validation = one.get_tr_and_val_datasets()
    case, held_out = training.identifiers[0], validation.identifiers[0]
    known = (training.load_case(case)[1][:] != 5).all((0, 2, 3))
    assert np.flatnonzero(known).tolist() == [2, 6]
    assert (validation.load_case(held_out)[1][:] != 5).all()
    mass = trainer("MASSTrainer", fold=1)
    assert (labels_of(mass, case) == 5).any() and not (labels_of(mass, held_out) == 5).any()
