"""In the course of a training of MASSTrainer, labels of its atlases are propagated to the unlabelled scans."""

from pathlib import Path

import blosc2
import numpy as np
import pytest
import torch

from mass_nnunet.data import UNKNOWN
from mass_nnunet.trainers.propagation import propagate_labels
from tiny_group import CT, MRI, entry, trainer


def ready():
    """A MASSTrainer before its first epoch, with unlabelled scans in every batch."""
    mass = trainer("MASSTrainer")
    mass.hyperparameters["unlabelled_every"] = 1
    mass.initialize()
    mass.module.refinement_steps = 2
    mass.on_train_start()
    return mass


def files(root: Path) -> dict[str, Path]:
    return {file.stem: file for file in (root / "results").rglob("propagated/*")}


def hidden_labels(mass, batches: int = 4) -> np.ndarray:
    """Of the unlabelled scans of the next batches."""
    mask = mass.module.layout.is_labelled(torch.device("cpu"))
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
    assert labels.max() < 5
    assert len(np.unique(labels)) > 1
    # The training goes on as it was.
    assert mass.module.training
    assert mass.module.inference == "segmentation"
    assert mass.module.active == (0, 1)
    assert mass.module.unets[0].decoder.deep_supervision


def test_they_are_what_the_atlases_of_the_modality_say(root):
    """Labels of one class, warped however, are labels of one class."""
    mass = ready()
    for modality in (0, 1):
        mass.module.atlases.labels[modality] = 3 - modality
    propagate_labels(mass.streams, mass.module)
    for modality, stream in enumerate(mass.streams):
        scans = stream.hidden_scans()
        for case in scans.identifiers:
            image, labels, _, _ = scans.load_case(case)
            assert labels.dtype == np.int16
            assert labels.shape == (1, *image.shape[1:])
            assert (labels[:] == 3 - modality).all()


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
    propagate_labels(mass.streams, mass.module, slice(1, None, 2))
    for stream in mass.streams:
        written = sorted(file.stem for file in stream.propagated_folder.iterdir())
        assert written == stream.hidden_scans().identifiers[1::2]
