"""If a modality has few annotated scans, a trained model stores unlabelled ones as atlases, labelled by itself."""

import numpy as np
import pytest
import torch

from mass_nnunet.api.best_atlas import register_best
from mass_nnunet.trainers.templates import put_templates
from tiny_group import CT, MRI, entry, trainer


def untrained(fold: int = 0, name: str = "MASSTrainer"):
    """A trainer with its annotated atlases, before its first step."""
    mass = trainer(name, fold=fold)
    mass.initialize()
    mass.on_train_start()
    return mass


def says(mass, label: int) -> None:
    """Let the teacher find this label everywhere."""
    head = mass.teacher.network.heads[-1]
    torch.nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(label), 5))


def test_unlabelled_scans_take_the_places_that_annotated_ones_leave(root):
    mass = untrained()
    bank = mass.module.atlases
    annotated = bank.images_of(0), bank.labels_of(0)
    says(mass, 3)
    put_templates(mass.dataset_trainers, bank, mass.teacher.network)
    assert bank.outlined.tolist() == [1, 1]
    assert bank.count.tolist() == [5, 5]
    for modality, (stream, name) in enumerate(zip(mass.dataset_trainers, (CT, MRI), strict=True)):
        cases = stream.template_cases(bank.capacity)
        assert len(cases) == 4
        assert set(cases) <= set(entry(root, name)["unlabelled"])
        labels = bank.labels_of(modality)[1:].argmax(1)
        for case, image, label in zip(cases, bank.images_of(modality)[1:], labels, strict=True):
            scan = stream.hidden_scans().load_case(case)[0][:]
            its_image, its_label = stream.organ_patch(scan, np.full(scan.shape[1:], 3))
            assert torch.equal(image, its_image.half().float())
            assert torch.equal(label, its_label)
    # The annotated ones are unchanged.
    assert torch.equal(bank.images_of(0)[:1], annotated[0])
    assert torch.equal(bank.labels_of(0)[:1], annotated[1])


def test_a_scan_in_which_no_organ_is_found_is_no_template(root):
    mass = untrained()
    bank = mass.module.atlases
    for label, count in ((3, 5), (0, 1)):  # what was there goes
        says(mass, label)
        put_templates(mass.dataset_trainers, bank, mass.teacher.network)
        assert bank.count.tolist() == [count, count]


def test_where_annotated_atlases_take_all_places_there_are_no_templates(root):
    mass = untrained(fold=1)
    bank = mass.module.atlases
    annotated = int(bank.outlined[0])
    assert annotated > 1
    assert mass.dataset_trainers[0].template_cases(annotated) == []
    assert len(mass.dataset_trainers[0].template_cases(annotated + 1)) == 1


@pytest.mark.parametrize(("name", "count"), [("MASSTrainer", 5), ("MASSTrainerNoTeaching", 1)])
def test_templates_come_at_the_end_of_a_training(root, name, count):
    """And are in the last checkpoint; where unlabelled scans teach nothing, they are no atlases either."""
    mass = untrained(name=name)
    if mass.teacher is not None:
        says(mass, 3)
    mass.current_epoch = mass.num_epochs - 1
    mass.on_train_end()
    for stream in mass.dataset_trainers:
        weights = torch.load(f"{stream.output_folder}/checkpoint_final.pth", weights_only=True)["network_weights"]
        assert weights["atlases.count"].tolist() == [count, count]


def test_a_training_that_is_resumed_after_its_end_keeps_its_templates(root):
    """As `nnUNetv2_train --c` does; its teacher would be the network itself, and no longer the average."""
    mass = untrained()
    says(mass, 3)
    mass.current_epoch = mass.num_epochs
    mass.on_train_end()
    again = trainer("MASSTrainer")
    again.initialize()
    again.load_checkpoint(f"{mass.output_folder}/checkpoint_final.pth")
    assert again.current_epoch == again.num_epochs
    again.run_training()
    for name in ("images", "labels", "count"):
        assert torch.equal(getattr(again.module.atlases, name), getattr(mass.module.atlases, name))


def test_figures_show_annotated_atlases(root):
    """A template equal to the scan would be the most similar atlas."""
    mass = untrained()
    bank = mass.module.atlases
    scan = torch.rand(1, *bank.images.shape[3:])
    bank.put_templates(0, [scan], [torch.ones(scan.shape[1:])])
    mass.module.eval()
    mass.activate([0])
    shown = register_best(mass.module, scan, np.ones(scan.shape[1:], int), scan.shape[1:])
    assert np.array_equal(shown.atlas, bank.images_of(0)[0, 0].numpy())
