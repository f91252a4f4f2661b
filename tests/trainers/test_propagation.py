"""During a training of MASSTrainer, the labels of its atlases are propagated to the unlabelled scans."""

from dataclasses import replace
from pathlib import Path

import blosc2
import numpy as np
import pytest
import torch

from annotated import is_annotated
from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.trainers.propagation import propagate_labels
from mass_nnunet.training.loaders import UnlabelledDataset, label_file, write_labels
from tiny_group import CT, MRI, entry, trainer


def ready():
    """A MASSTrainer before its first epoch, with unlabelled scans in every batch."""
    torch.manual_seed(0)  # some first weights carry atlases half a voxel beyond their border
    mass = trainer("MASSTrainer")
    mass.hyperparameters = replace(mass.hyperparameters, unlabelled_every=1)
    mass.initialize()
    mass.module.refinement_steps = 2
    mass.on_train_start()
    # Whatever the head sees, it is an organ: the patch that is registered is the middle one.
    torch.nn.init.zeros_(mass.teacher.network.heads[-1].weight)
    with torch.no_grad():
        mass.teacher.network.heads[-1].bias.copy_(torch.eye(5)[1])
    return mass


def files(root: Path) -> dict[str, Path]:
    return {file.stem: file for file in (root / "results").rglob("propagated/*")}


def hidden_labels(mass, batches: int = 4) -> np.ndarray:
    """Labels of the unlabelled scans in the next batches."""
    mask = is_annotated(mass.layout)
    return torch.stack([next(mass.dataloader_train)["target"][0][~mask] for _ in range(batches)]).numpy()


def test_where_the_ramp_ends_all_unlabelled_scans_get_labels(root):
    mass = ready()
    assert (hidden_labels(mass) == UNKNOWN).any()
    mass.num_epochs, mass.current_epoch = 10, 2
    mass.on_train_epoch_start()
    assert not files(root)
    mass.current_epoch = 3
    mass.on_train_epoch_start()
    assert set(files(root)) == {case for name in (CT, MRI) for case in entry(root, name)["unlabelled"]}
    labels = hidden_labels(mass)
    known = labels[labels < 5]
    assert len(known) > labels.size / 2
    assert len(np.unique(known)) > 1
    assert set(np.unique(labels[labels >= 5])) <= {UNKNOWN}  # beyond the border of the atlas
    # The training goes on as it was.
    assert mass.module.training
    assert mass.module.inference == "fused"
    assert mass.module.active == (0, 1)
    assert mass.module.unets[0].decoder.deep_supervision


def test_they_are_what_the_atlases_of_the_modality_say(root):
    """Labels of one class, warped however, are labels of one class."""
    mass = ready()
    teacher = mass.teacher.network
    for modality in (0, 1):
        teacher.atlases.labels[modality] = 3 - modality
    propagate_labels(mass.dataset_trainers, teacher)
    for modality, stream in enumerate(mass.dataset_trainers):
        scans = stream.hidden_scans()
        for case in scans.identifiers:
            image, labels, _, _ = scans.load_case(case)
            assert labels.dtype == np.int16
            assert labels.shape == (1, *image.shape[1:])
            known = labels[:] != UNKNOWN  # beyond the border of the atlas it says nothing
            assert known.mean() > 0.5
            assert (labels[:][known] == 3 - modality).all()
    # The teacher goes on teaching.
    assert teacher.inference == "adapted"
    assert teacher.active == (0, 1)
    assert not teacher.training


def test_labels_of_another_tool_are_added_where_the_atlases_do_not_contradict_them(root):
    mass = ready()
    mass.teacher.network.atlases.labels[:] = 2
    stream = mass.dataset_trainers[0]
    case, other = sorted(stream.hidden_scans().identifiers)[:2]
    shape = stream.hidden_scans().labels_of(case).shape
    outside = np.random.default_rng(0).integers(0, 5, shape).astype(np.int16)
    stream.outside_folder.mkdir()
    write_labels(label_file(stream.outside_folder, case), outside)
    propagate_labels(mass.dataset_trainers, mass.teacher.network)
    labels, alone = (stream.hidden_scans().labels_of(name)[:] for name in (case, other))
    assert set(np.unique(alone)) <= {2, UNKNOWN}
    is_known = labels != UNKNOWN
    assert (labels[is_known] == outside[is_known]).all()
    assert is_known[outside == 2].all(), "atlases say this, too, or nothing"
    assert not is_known.all(), "atlases contradict the rest"


def test_outside_of_the_patch_around_the_organs_nothing_is_known(root, monkeypatch):
    mass = ready()
    mass.teacher.network.atlases.labels[:] = 2
    scan, organs = np.zeros((1, 8, 20, 24), np.float32), np.zeros((8, 20, 24))
    organs[:, 14:, :2] = 1
    place = np.full(scan.shape, UNKNOWN, np.int16)
    # The teacher finds more where no organ can be: that is not to attract the patch.
    organs[:, :6, 12:], place[:, :, :6, 12:] = 1, ELSEWHERE
    monkeypatch.setattr(UnlabelledDataset, "load_case", lambda *_: (scan, None, None, {}))
    monkeypatch.setattr(UnlabelledDataset, "labels_of", lambda *_: place)
    monkeypatch.setattr("mass_nnunet.trainers.propagation.segmenter", lambda *_: lambda _: organs)
    propagate_labels(mass.dataset_trainers, mass.teacher.network)
    expected = np.full(scan.shape, UNKNOWN)
    expected[:, :, 4:, :16] = 2
    expected[place == ELSEWHERE] = ELSEWHERE  # within the patch and outside of it
    for file in files(root).values():
        assert np.array_equal(blosc2.open(str(file))[:], expected)


def test_the_teacher_has_the_atlases(root):
    mass = ready()
    assert mass.teacher.network.atlases.count.tolist() == [1, 1]


def test_a_killed_training_goes_on_and_a_new_one_begins_afresh(root):
    mass = ready()
    mass.num_epochs, mass.current_epoch = 10, 3
    mass.on_train_epoch_start()
    first, *others = sorted(files(root).values())
    kept = {file: file.stat().st_mtime_ns for file in others}
    first.unlink()
    again = trainer("MASSTrainer")
    again.initialize()
    again.module.load_state_dict(mass.module.state_dict())
    again.current_epoch, again.num_epochs = 4, 10
    again.on_train_start()
    again.on_train_epoch_start()
    assert first.is_file()
    assert {file: file.stat().st_mtime_ns for file in others} == kept
    ready()
    assert not first.exists()


def test_a_disk_that_is_full_leaves_no_half_file(root, monkeypatch):
    mass = ready()
    mass.num_epochs, mass.current_epoch = 10, 3

    def full(_: np.ndarray, urlpath: str, **__: object) -> None:
        Path(urlpath).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(blosc2, "asarray", full)
        with pytest.raises(OSError, match=r"No space left.*propagated"):
            mass.on_train_epoch_start()
    assert not files(root)


@pytest.mark.parametrize("name", ["MASSTrainerNoTeaching", "MASSTrainerNoAtlas"])
def test_where_no_atlas_teaches_nothing_is_propagated(root, name):
    method = trainer(name)
    method.initialize()
    method.on_train_start()
    method.num_epochs, method.current_epoch = 10, 5
    method.on_train_epoch_start()
    assert not list((root / "results").rglob("propagated"))


def test_labels_are_gone_when_the_training_ends(root):
    mass = trainer("MASSTrainer")
    mass.run_training()
    assert mass.propagated
    assert not list((root / "results").rglob("propagated"))


def test_two_processes_share_the_scans(root):
    mass = ready()
    propagate_labels(mass.dataset_trainers, mass.teacher.network, slice(1, None, 2))
    for stream in mass.dataset_trainers:
        written = sorted(file.stem for file in stream.propagated_folder.iterdir())
        assert written == stream.hidden_scans().identifiers[1::2]
