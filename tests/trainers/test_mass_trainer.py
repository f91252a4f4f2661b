"""MASSTrainer in this process: what it may read, what it writes, and that it says what is wrong."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from annotated import is_annotated
from mass_nnunet.networks.mass import GroupOutput
from mass_nnunet.objectives.mass import TERMS
from method_checks import stepped
from tiny_group import CT, MODEL, MRI, entry, trainer


def train(dataset: str = "801", **settings: int) -> nnUNetTrainer:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, what nnU-Net draws from
    mass = trainer("MASSTrainer", dataset)
    for name, value in settings.items():
        setattr(mass, name, value)
    mass.run_training()
    return mass


def test_trains_all_and_fills_every_results_folder(root):
    mass = train()
    for name, modality in ((CT, "CT"), (MRI, "MRI")):
        folder = root / "results" / name / MODEL
        assert json.loads((folder / "plans.json").read_text())["mass"]["modality"] == modality
        assert json.loads((folder / "plans.json").read_text())["dataset_name"] == name
        assert (folder / "dataset.json").is_file()
        assert (folder / "dataset_fingerprint.json").is_file()
        written = {path.name for path in (folder / "fold_0").iterdir()}
        assert {"checkpoint_final.pth", "checkpoint_best.pth", "progress.png", "mass_terms.png"} <= written
        assert "checkpoint_latest.pth" not in written
        assert not [file for file in written if file.startswith(".tmp")]
        # No code is run by whoever loads it.
        checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
        assert checkpoint["trainer_name"] == "MASSTrainer"
        assert checkpoint["init_args"]["plans"]["dataset_name"] == name
        assert checkpoint["current_epoch"] == 2
        assert checkpoint["inference_allowed_mirroring_axes"] is None
        for term in TERMS:
            assert len(checkpoint["logging"]["mass_" + term]) == 2
        for key, value in mass.module.state_dict().items():
            assert torch.equal(checkpoint["network_weights"][key], value)


def test_all_parts_learn(root):
    mass = trainer("MASSTrainer")
    mass.initialize()
    before = {name: p.detach().clone() for name, p in mass.module.named_parameters()}
    mass.num_epochs = 1
    mass.run_training()
    # nnU-Net gives the coarsest head no weight; a bias in front of an instance normalization has no effect.
    for part in (
        "unets.0.encoder",
        "unets.1.encoder",
        "unets.0.decoder.stages",
        "unets.0.decoder.seg_layers.1",
        "correspondence",
    ):
        changed = [n for n, p in mass.module.named_parameters() if n.startswith(part) and not torch.equal(p, before[n])]
        assert changed, part


def test_only_the_cases_of_the_fold_are_loaded(root):
    mass = trainer("MASSTrainer")
    mass.initialize()
    training, validation = mass.get_dataloaders()
    labelled, unlabelled, validated = set(), set(), set()
    for _ in range(60):
        keys = np.array(next(training)["keys"])
        mask = is_annotated(mass.layouts.next(len(keys))).numpy()
        labelled |= set(keys[mask])
        unlabelled |= set(keys[~mask])
        validated |= set(next(validation)["keys"])
    folds = [entry(root, name) for name in (CT, MRI)]
    assert labelled == {case for fold in folds for case in fold["train"]}
    assert unlabelled == {case for fold in folds for case in fold["unlabelled"]}
    assert validated == {case for fold in folds for case in fold["val"]}
    assert {"ctun", "mrun"} <= unlabelled


def test_a_labelled_case_does_change_something(root):
    """What is annotated is read; integration/test_every_trainer.py tests that what is hidden is not."""
    expected = train(num_epochs=1).module.state_dict()
    (case,) = entry(root, CT)["train"]
    other = entry(root, CT)["unlabelled"][0]
    folder = root / "preprocessed" / CT / "MASSPlans_3d_fullres"
    shutil.copy(folder / f"{other}_seg.b2nd", folder / f"{case}_seg.b2nd")
    changed = train(num_epochs=1).module.state_dict()
    assert any(not torch.equal(changed[key], expected[key]) for key in expected)


def test_atlases_are_labelled_training_cases(root):
    mass = train(num_epochs=1)
    assert mass.module.atlases.outlined.tolist() == [1, 1]
    labels = mass.module.atlases.labels_of(0)[:1]
    assert labels.shape[2:] == (8, 16, 16)
    assert labels[:, 1:].sum() > 0


def test_either_dataset_trains_the_same_models(root):
    first = train("801", num_epochs=1).module.state_dict()
    shutil.rmtree(root / "results")
    second = train("802", num_epochs=1).module.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_goes_on_from_a_checkpoint(root):
    mass = train()
    folder = root / "results" / MRI / MODEL / "fold_0"
    again = trainer("MASSTrainer", "802", continue_training=True)
    again.load_checkpoint(str(folder / "checkpoint_final.pth"))
    assert again.current_epoch == 2
    assert all(torch.equal(again.module.state_dict()[k], v) for k, v in mass.module.state_dict().items())
    again.num_epochs = 3
    again.run_training()
    for name in (CT, MRI):
        final = root / "results" / name / MODEL / "fold_0" / "checkpoint_final.pth"
        checkpoint = torch.load(final, weights_only=True)
        assert checkpoint["current_epoch"] == 3
        assert len(checkpoint["logging"]["mass_supervised"]) == 3


def test_the_correspondence_head_has_its_own_learning_rate(root):
    mass = trainer("MASSTrainer")
    mass.hyperparameters = replace(mass.hyperparameters, learning_rate=4e-3, correspondence_learning_rate=1e-3)
    mass.initial_lr, mass.num_epochs = 4e-3, 10
    mass.initialize()
    shared, registering = mass.optimizer.param_groups
    expected = {id(p) for p in mass.module.correspondence.parameters()}
    assert {id(p) for p in registering["params"]} == expected
    assert len(shared["params"]) + len(expected) == len(list(mass.network.parameters()))
    for epoch, decay in ((0, 1.0), (5, 0.5**0.9)):
        mass.lr_scheduler.step(epoch)
        assert shared["lr"] == pytest.approx(4e-3 * decay)
        assert registering["lr"] == pytest.approx(1e-3 * decay)


def test_no_left_for_right(root):
    mass = trainer("MASSTrainer")
    rotation, _, _, mirrored = mass.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    assert mirrored is None
    assert mass.inference_allowed_mirroring_axes is None
    assert np.allclose(np.rad2deg(rotation), (-30, 30))


def test_training_batch_is_one_forward_pass(root):
    """DDP needs it."""
    mass = trainer("MASSTrainer")
    mass.initialize()
    mass.network.train()
    calls = []
    mass.network.register_forward_hook(lambda _, __, output: calls.append(output))
    training, _ = mass.get_dataloaders()
    result = stepped(mass, next(training))
    assert len(calls) == 1
    assert isinstance(calls[0], GroupOutput)
    assert set(result) == {"loss", *TERMS}


def test_the_teacher_sees_unlabelled_scans_as_they_are_and_the_network_changed(root):
    mass = trainer("MASSTrainer")
    mass.hyperparameters = replace(mass.hyperparameters, organ_contrast=0.0)
    mass.on_train_start()
    mass.network.train()
    mass.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].images.clone()))
    mass.teacher.network.register_forward_pre_hook(lambda _, scans: seen.append(scans[0].clone()))
    seen, before = [], [p.detach().clone() for p in mass.teacher.network.parameters()]
    batch = next(mass.dataloader_train)
    data = batch["data"].clone()
    mass.train_step(batch)
    labelled = is_annotated(mass.layout)
    by_teacher, by_network = seen
    assert torch.equal(by_teacher, data[~labelled])
    assert mass.teacher.network.inference == "adapted"
    assert torch.equal(by_network[labelled], data[labelled])
    assert not any(torch.equal(a, b) for a, b in zip(by_network[~labelled], by_teacher, strict=True))
    assert any(not torch.equal(p, old) for p, old in zip(mass.teacher.network.parameters(), before, strict=True))


def test_steps_with_labelled_scans_alone_train_the_same_parts(root):
    """DDP waits for the gradients of all parameters in every step."""
    mass = trainer("MASSTrainer")
    mass.hyperparameters = replace(mass.hyperparameters, unlabelled_every=2)
    mass.on_train_start()
    mass.network.train()
    mass.num_epochs = 100
    taught, trained, losses = [], [], []
    mass.teacher.network.register_forward_pre_hook(lambda *_: taught.append(step))
    for step in range(6):
        mass.current_epoch = 29 if step < 2 else 30  # the ramp ends at 0.3
        batch = next(mass.dataloader_train)
        assert len(batch["data"]) == (4 if step % 2 else 6)
        losses.append(stepped(mass, batch))
        trained.append({name for name, p in mass.module.named_parameters() if p.grad is not None})
        mass.network.zero_grad()
    assert taught == [0, 2, 4]
    assert all(parts == trained[0] for parts in trained)
    assert len(trained[0]) >= len(list(mass.module.parameters())) - 2  # the coarsest head has no weight in nnU-Net
    # What is logged of a term is what it last was; so does it tell which steps had it.
    changes = {term: [a[term] != b[term] for a, b in pairwise(losses)] for term in ("supervised", "atlas", "teaching")}
    assert changes == {
        "supervised": [True, True, True, True, True],
        "atlas": [True, True, False, True, False],  # at first in every step
        "teaching": [False, True, False, True, False],
    }


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda root: (root / "preprocessed" / MRI / "MASSPlans.json").unlink(), "MASSPlans.json does not exist"),
        (lambda root: replan(root, "epochs", 7), "is of another planning"),
        (lambda root: drop_folds(root), "fold 0 does not exist in"),
        (lambda root: rename_hyperparameter(root), "unknown hyperparameter 'tau'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root, damage, text):
    damage(root)
    with pytest.raises(SystemExit) as ended:
        trainer("MASSTrainer").initialize()
    assert text in str(ended.value.code)
    assert "\n" not in str(ended.value.code)


def change(file: Path, edit) -> None:
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def replan(root: Path, key: str, value: int) -> None:
    change(root / "preprocessed" / MRI / "MASSPlans.json", lambda plans: plans["mass"].update({key: value}))


def drop_folds(root: Path) -> None:
    change(root / "preprocessed" / MRI / "splits_final.json", lambda folds: folds.clear())


def rename_hyperparameter(root: Path) -> None:
    change(root / "preprocessed" / CT / "MASSPlans.json", lambda plans: plans["mass"]["hyperparameters"].update(tau=1))


def test_plans_of_stock_nnunet_are_refused(root):
    change(root / "preprocessed" / CT / "MASSPlans.json", lambda plans: plans.pop("mass"))
    for name in ("SupervisedTrainer", "MASSTrainer"):
        with pytest.raises(SystemExit, match="no plans of `mass_nnunet plan`"):
            trainer(name)
