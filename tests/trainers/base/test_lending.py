"""trainers/base/lending.py: who lends annotated scans to whom, and what cannot be trained."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mass_nnunet.data.files import write_json
from mass_nnunet.data.splits import Fold
from mass_nnunet.errors import UserError
from mass_nnunet.trainers.base.lending import lend_annotated_scans, refuse_lonely_modality
from mass_nnunet.trainers.templates import put_templates
from tiny_group import CT, MRI, annotate_another, entry, trainer


@dataclass(eq=False)
class Trainer:
    """What lending knows of a trainer."""

    train: tuple[str, ...]
    name: str = "Dataset801_A"
    fold: int = 3
    trains_group: bool = True
    lender: Any = field(default="of an earlier call")
    channels: int = 1

    def fold_cases(self) -> Fold:
        return Fold(self.train, (), (), 0.1, 0)

    @property
    def plans_manager(self) -> SimpleNamespace:
        return SimpleNamespace(dataset_name=self.name)


def test_the_first_with_annotated_scans_lends_to_those_without():
    none, first, second = Trainer(()), Trainer(("a",)), Trainer(("b",))
    lend_annotated_scans([none, first, second])
    assert none.lender is first
    assert first.lender is None and second.lender is None


def test_scans_are_lent_to_datasets_of_as_many_channels():
    none, first, second = Trainer((), "Dataset802_B", channels=2), Trainer(("a",)), Trainer(("b",))
    line = r"^fold 3 of Dataset802_B has no .* those of Dataset801_A: its scans have 2 channels and theirs 1; annotate"
    with pytest.raises(UserError, match=line):
        lend_annotated_scans([none, first])
    second.channels = 2
    lend_annotated_scans([none, first, second])
    assert none.lender is second


def test_without_any_annotated_scan():
    with pytest.raises(
        UserError, match=r"^fold 3 of Dataset801_A and Dataset802_B has no annotated training scan: add"
    ):
        lend_annotated_scans([Trainer(()), Trainer((), "Dataset802_B")])
    with pytest.raises(UserError, match=r"^fold 3 of Dataset801_A has .*: only a method that trains the whole group"):
        lend_annotated_scans([Trainer((), trains_group=False)])


def test_modalities_are_compared_in_a_group_of_two():
    refuse_lonely_modality([Trainer(("a",)), Trainer(("b",))])
    with pytest.raises(UserError, match=r"^Trainer compares modalities, and Dataset801_A is the only one in its plans"):
        refuse_lonely_modality([Trainer(("a",))])


def hide_all_labels(root, name):
    file = root / "preprocessed" / name / "splits_final.json"
    fold = entry(root, name)
    write_json(file, [fold | {"train": [], "unlabelled": sorted(fold["train"] + fold["unlabelled"])}])


def test_lent_scans_are_in_the_place_of_annotated_ones(root):
    hide_all_labels(root, MRI)
    one = trainer("MASSTrainer", "802")
    one.on_train_start()
    ct, mri = one.dataset_trainers
    assert mri is one and mri.lender is ct
    assert one.layout.borrowing == (1,)
    batch = next(one.dataloader_train)
    lent, unlabelled = entry(root, CT)["train"], entry(root, MRI)["unlabelled"]
    share = len(batch["keys"]) // 2
    assert set(batch["keys"][share : share + 2]) <= set(lent)
    assert set(batch["keys"][share + 2 :]) <= set(unlabelled)
    assert set(next(one.dataloader_val)["keys"][2:]) <= set(entry(root, MRI)["val"])
    bank = one.module.atlases
    assert bank.images_of(1).equal(bank.images_of(0)), "lent atlases"
    assert one.template_cases(5) == sorted(unlabelled)


@pytest.mark.parametrize("name", ["SupervisedTrainer", "DTCTrainer"])
def test_a_method_of_one_dataset_needs_its_labels(root, name, capsys):
    hide_all_labels(root, MRI)
    with pytest.raises(SystemExit, match="fold 0 of Dataset802_MRS has no annotated training scan"):
        trainer(name, "802").on_train_start()


def test_templates_replace_lent_atlases_and_places_are_not_looked_for(root):
    annotate_another(root)
    hide_all_labels(root, MRI)
    one = trainer("MASSTrainer", "802")
    one.on_train_start()
    bank, teacher = one.module.atlases, one.teacher.network
    located = [file.parent for file in (root / "results").rglob("place/*")]
    assert located and all(folder == one.dataset_trainers[0].place_folder for folder in located)

    head = teacher.heads[-1]
    torch.nn.init.zeros_(head.weight)
    for label, lent, all_atlases in ((0, [2, 2], [2, 2]), (3, [2, 0], [5, 5])):  # it finds nothing, then one organ
        with torch.no_grad():
            head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(label), 5))
        put_templates(one.dataset_trainers, bank, teacher)
        assert (bank.outlined.tolist(), bank.count.tolist()) == (lent, all_atlases)
