"""The loaders of one dataset are composed of nnU-Net's own hooks."""

import numpy as np
import pytest

from mass_nnunet.trainers.base.dataset import ROTATION
from tiny_group import CT, MRI, entry, trainer

pytestmark = pytest.mark.usefixtures("root")


def described(transforms) -> list[str]:
    """Names of the transforms in the order in which they are applied."""
    return [type(getattr(each, "transform", each)).__name__ for each in transforms.transforms]


def test_they_are_what_stock_nnunet_builds_but_for_mirroring():
    ours, stock = trainer("MASSTrainer"), trainer("SupervisedTrainer")
    for each in (ours, stock):
        each.initialize()
    (annotated, unlabelled), validation = ours.loaders(2, 1)
    training, validating = (augmenter.data_loader for augmenter in stock.get_dataloaders())
    for mine, theirs in ((annotated, training), (validation, validating)):
        assert list(mine.final_patch_size) == list(theirs.final_patch_size)
        assert mine.oversample_foreground_percent == theirs.oversample_foreground_percent
        assert mine.annotated_classes_key == theirs.annotated_classes_key
        assert sorted(mine.indices) == sorted(theirs.indices)
        without = [name for name in described(theirs.transforms) if name != "MirrorTransform"]
        assert described(mine.transforms) == without
    assert list(validation.patch_size) == list(validating.patch_size)
    assert unlabelled.transforms is annotated.transforms
    assert list(unlabelled.patch_size) == list(annotated.patch_size)
    assert (annotated.batch_size, unlabelled.batch_size, validation.batch_size) == (2, 1, 2)


def test_a_trainer_that_overrides_a_hook_of_nnunet_is_asked(monkeypatch):
    one = trainer("MASSTrainer")
    one.initialize()
    asked, build = [], one.get_training_transforms

    def transforms(patch, rotation, *rest, **options):
        asked.append(rotation)
        return build(patch, rotation, *rest, **options)

    monkeypatch.setattr(one, "get_training_transforms", transforms)
    monkeypatch.setattr(one, "get_tr_and_val_datasets", lambda: (held_out, held_out))
    held_out = one.hidden_scans()
    (annotated,), validation = one.loaders(1, 0)
    assert asked == [(-ROTATION, ROTATION)]
    assert annotated._data is validation._data is held_out


def test_unlabelled_scans_are_those_of_the_fold_or_the_annotated_ones(root):
    part, whole = trainer("MASSTrainer"), trainer("MASSTrainer", fold=1)
    assert sorted(part.hidden_scans().identifiers) == sorted(entry(root, CT)["unlabelled"])
    assert entry(root, CT, 1)["unlabelled"] == ["ctun"]
    assert sorted(whole.hidden_scans().identifiers) == ["ctun"]


def test_a_preprocessed_case_has_no_unknown_label(root):
    one = trainer("MASSTrainer", "802")
    (case,) = entry(root, MRI)["train"]
    image, label = one.load_preprocessed(case)
    assert image.shape[1:] == label.shape[1:]
    assert set(np.unique(label)) <= set(range(5))
