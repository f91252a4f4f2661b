"""At the beginning of a training of MASSTrainer, it is written where the unlabelled scans can have no organs."""

import shutil
from dataclasses import replace
from pathlib import Path

import blosc2
import numpy as np
import pytest
import torch

from annotated import is_annotated
from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.registration.place import possible_organs
from mass_nnunet.trainers.place import locate_organs
from method_checks import change_annotated, damage_hidden
from tiny_group import CT, MRI, annotate_another, entry, trainer

MARGIN = 4.0


@pytest.fixture(autouse=True)
def finer(monkeypatch):
    """A search on a finer grid: the scans of the tiny group are three voxels of the usual one."""
    monkeypatch.setattr("mass_nnunet.registration.alignment.EDGE", 6.0)


@pytest.fixture(autouse=True)
def two_annotated(root):
    annotate_another(root)


def ready(name: str = "MASSTrainer", margin: float = MARGIN):
    """A trainer of two annotated scans of each modality before its first epoch, with unlabelled ones in every batch."""
    mass = trainer(name)
    mass.hyperparameters = replace(mass.hyperparameters, unlabelled_every=1, place_margin=margin)
    mass.initialize()
    return mass


def files(root: Path) -> dict[str, Path]:
    return {file.stem: file for file in (root / "results").rglob("place/*")}


def known(root: Path) -> dict[str, np.ndarray]:
    return {case: blosc2.open(str(file))[:] for case, file in files(root).items()}


def locate(mass, **changes: slice) -> None:
    locate_organs(mass.dataset_trainers, capacity=5, margin=MARGIN, **changes)


def test_each_unlabelled_scan_is_background_where_no_organ_can_be_and_else_unknown(root):
    mass = ready()
    locate(mass)
    written = known(root)
    assert set(written) == {case for name in (CT, MRI) for case in entry(root, name)["unlabelled"]}
    for stream, name in zip(mass.dataset_trainers, (CT, MRI), strict=True):
        annotated = [stream.load_preprocessed(case) for case in entry(root, name)["train"]]
        scans = stream.hidden_scans()
        for case in scans.identifiers:
            image, labels = (volume[:] for volume in scans.load_case(case)[:2])
            assert labels.dtype == np.int16
            assert labels.shape == (1, *image.shape[1:])
            assert set(np.unique(labels)) == {ELSEWHERE, UNKNOWN}
            atlases = [(image[0], label[0]) for image, label in annotated]
            possible = possible_organs(image[0], atlases, stream.configuration_manager.spacing, MARGIN)
            assert np.array_equal(labels[0] == UNKNOWN, possible)


def test_labels_of_unlabelled_scans_are_never_read(root):
    locate(ready())
    expected = known(root)
    assert damage_hidden(root) == 2 * (2 * 4 + 2)  # of two scans of imagesTr and one of imagesUn, twice
    assert not files(root)
    locate(ready())
    assert {case: labels.tolist() for case, labels in known(root).items()} == {
        case: labels.tolist() for case, labels in expected.items()
    }


def test_labels_of_the_annotated_scans_are(root):
    """The test above can fail."""
    locate(ready())
    expected = known(root)
    shutil.rmtree(root / "results")
    change_annotated(root, CT)
    locate(ready())
    changed = {case for case, labels in known(root).items() if not np.array_equal(labels, expected[case])}
    assert changed == set(entry(root, CT)["unlabelled"])


def test_no_more_atlases_than_asked_for(root, monkeypatch):
    counts = []
    monkeypatch.setattr(
        "mass_nnunet.trainers.place.possible_organs",
        lambda scan, atlases, spacing, margin: counts.append((len(atlases), margin)) or np.ones(scan.shape, bool),
    )
    mass = trainer("MASSTrainer", fold=1)
    mass.initialize()
    annotated = len(entry(root, CT, 1)["train"])
    assert annotated > 1
    for capacity in (2, annotated + 1):
        locate_organs(mass.dataset_trainers, capacity=capacity, margin=7.0)
        shutil.rmtree(root / "results")
    assert set(counts) == {(2, 7.0), (annotated, 7.0)}


def test_a_single_annotated_scan_tells_nothing(root):
    mass = ready()
    locate_organs(mass.dataset_trainers, capacity=1, margin=MARGIN)
    assert not files(root)


def test_files_that_exist_stay_and_what_is_missing_is_written(root):
    mass = ready()
    locate(mass)
    first, *others = sorted(files(root).values())
    expected, kept = blosc2.open(str(first))[:], {file: file.stat().st_mtime_ns for file in others}
    first.unlink()
    locate(mass)
    assert np.array_equal(blosc2.open(str(first))[:], expected)
    assert {file: file.stat().st_mtime_ns for file in others} == kept


def test_a_killed_training_goes_on_and_a_new_one_begins_afresh(root):
    mass = ready()
    mass.on_train_start()
    written = {file: file.stat().st_mtime_ns for file in files(root).values()}
    assert written
    again = ready()
    again.current_epoch = 1
    again.on_train_start()
    assert {file: file.stat().st_mtime_ns for file in files(root).values()} == written
    ready().on_train_start()
    now = {file: file.stat().st_mtime_ns for file in files(root).values()}
    assert now.keys() == written.keys()
    assert all(now[file] != written[file] for file in now)


def test_two_processes_share_the_scans(root):
    mass = ready()
    locate(mass, part=slice(1, None, 2))
    for stream in mass.dataset_trainers:
        written = sorted(file.stem for file in stream.place_folder.iterdir())
        assert written == stream.hidden_scans().identifiers[1::2]


def test_a_disk_that_is_full_leaves_no_half_file(root, monkeypatch):
    def full(_: np.ndarray, urlpath: str, **__: object) -> None:
        Path(urlpath).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    mass = ready()
    with monkeypatch.context() as patch:
        patch.setattr(blosc2, "asarray", full)
        with pytest.raises(OSError, match=r"No space left.*place"):
            locate(mass)
    assert not files(root)


@pytest.mark.parametrize(("name", "margin"), [("MASSTrainerNoTeaching", MARGIN), ("MASSTrainer", 0.0)])
def test_where_nobody_needs_it_nothing_is_written(root, name, margin):
    ready(name, margin).on_train_start()
    assert not list((root / "results").rglob("place"))


def test_the_margin_of_the_plans_counts(root):
    shares = []
    for margin in (MARGIN, 12.0):
        ready(margin=margin).on_train_start()
        shares.append(np.mean([(labels == ELSEWHERE).mean() for labels in known(root).values()]))
    assert shares[0] > shares[1]


def test_what_a_teacher_finds_where_no_organ_can_be_is_no_pseudo_label(root):
    mass = ready()
    mass.on_train_start()
    # Whatever the teacher sees, it is class 1.
    torch.nn.init.zeros_(mass.teacher.network.heads[-1].weight)
    with torch.no_grad():
        mass.teacher.network.heads[-1].bias.copy_(20 * torch.eye(5)[1])
    hidden = ~is_annotated(mass.layout)
    for _ in range(3):
        batch = next(mass.dataloader_train)
        labels = batch["target"][0][hidden][:, 0].clone()
        pseudo_labels = mass.prepare(batch)["target"].context.pseudo_labels.movedim(1, -1)
        for value, found in ((ELSEWHERE, 0), (UNKNOWN, 1)):
            assert (labels == value).any()
            there = pseudo_labels[labels == value]
            torch.testing.assert_close(there, torch.eye(5)[found].expand_as(there), atol=1e-3, rtol=0)


def test_the_files_are_gone_when_the_training_ends(root):
    mass = trainer("MASSTrainer")
    mass.num_epochs = 1
    seen = []
    mass.on_train_epoch_start = lambda start=mass.on_train_epoch_start: seen.extend(files(root)) or start()
    mass.run_training()
    assert seen
    assert not list((root / "results").rglob("place"))
