"""Results folders: two trainings that would write into the same ones, the models in them, and their disk."""

import errno
import multiprocessing
import os
import re
import shutil
import time
from pathlib import Path

import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.runtime.lock import Lock, becomes_free, is_held
from mass_nnunet.trainers.base.folders import checkpoint_to_go_on_from, disk_failures_told, only_training_of
from refused_training import METHODS, begun, refused
from tiny_group import CT, MODEL, MRI, trainer


def results(root: Path) -> list[Path]:
    return [root / "results" / name / MODEL / "fold_0" for name in (CT, MRI)]


def locks(root: Path) -> list[Path]:
    return [file for folder in results(root) for file in folder.glob("*lock*")]


@pytest.mark.parametrize(("first", "second"), [("801", "802"), ("802", "801"), ("801", "801")])
def test_the_second_training_of_a_group_ends_in_one_line_and_touches_nothing(root, monkeypatch, first, second):
    one = trainer("MASSTrainer", first)
    refused = []

    def meanwhile() -> None:
        assert all(is_held(folder) for folder in results(root))
        kept = [folder / "propagated" / "scan.b2nd" for folder in results(root)]
        for file in kept:
            file.parent.mkdir()
            file.touch()
        with pytest.raises(SystemExit, match=rf"^error: {results(root)[0]} belongs to another training[^\n]*$"):
            trainer("MASSTrainer", second).run_training()
        assert all(file.is_file() for file in kept)
        assert all(is_held(folder) for folder in results(root))
        refused.append(second)

    monkeypatch.setattr(one, "on_train_epoch_start", meanwhile)
    one.num_epochs = 1
    one.run_training()
    assert refused == [second]
    assert locks(root) == []


def test_a_training_that_fails_lets_others_train(root, monkeypatch):
    one = trainer("MASSTrainer")
    monkeypatch.setattr(one, "on_train_epoch_start", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.run_training()
    assert locks(root) == []


def test_another_fold_or_method_may_be_trained_meanwhile(root, monkeypatch):
    one = trainer("MASSTrainer")
    trained = []

    def meanwhile() -> None:
        for name, fold in (("MASSTrainer", 1), ("TCSMTrainer", 0)):
            other = trainer(name, fold=fold)
            monkeypatch.setattr(other, "on_train_start", lambda: trained.append(1))
            other.current_epoch = other.num_epochs
            monkeypatch.setattr(other, "on_train_end", lambda: None)
            other.run_training()
        raise KeyboardInterrupt

    monkeypatch.setattr(one, "on_train_epoch_start", meanwhile)
    with pytest.raises(SystemExit, match="130"):
        one.run_training()
    assert trained == [1, 1]
    assert locks(root) == []


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_alone_has_the_lock(root, monkeypatch, rank):
    one = trainer("MASSTrainer")
    one.local_rank = rank
    seen = []
    monkeypatch.setattr(one, "on_train_start", lambda: seen.append([is_held(folder) for folder in results(root)]))
    monkeypatch.setattr(one, "on_train_end", lambda: None)
    one.current_epoch = one.num_epochs
    one.run_training()
    assert seen == [[rank == 0] * 2]


def test_the_folder_that_another_training_has_is_named_and_the_others_are_given_back(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    with (
        only_training_of(folders[1:2]),
        pytest.raises(SystemExit, match=rf"^error: {folders[1]} belongs to another training[^\n]*$"),
        only_training_of(folders),
    ):
        pass
    assert not any(list(folder.iterdir()) for folder in folders if folder.exists())


def test_a_killed_training_is_in_nobodys_way_and_its_lock_goes_with_the_next(tmp_path):
    def train() -> None:
        with only_training_of([tmp_path]):
            runs.set()
            time.sleep(600)

    forks = multiprocessing.get_context("fork")
    runs = forks.Event()
    training = forks.Process(target=train)
    training.start()
    assert runs.wait(60)
    with pytest.raises(SystemExit), only_training_of([tmp_path]):
        pass
    training.kill()
    training.join()
    assert len(list(tmp_path.iterdir())) == 1
    with only_training_of([tmp_path]):
        assert is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_died_elsewhere_is_presumed_dead_before_its_cell_in_a_benchmark(tmp_path, clock):
    training, cell = (clock.lock_elsewhere(tmp_path / name).parent for name in ("training", "cell"))
    with only_training_of([training]):
        assert 120 < clock.slept < 130
        assert is_held(cell)
    assert becomes_free([cell])
    assert 600 < clock.slept < 610


OTHERS = [
    BrokenPipeError("a worker is gone"),
    RuntimeError("CUDA error"),
    OSError(errno.EIO, "Input/output error"),  # of a terminal that is closed
    FileNotFoundError(errno.ENOENT, "No such file or directory", "g++"),
    PermissionError(errno.EACCES, "Permission denied", "/cache/fonts.json"),
    FileNotFoundError(errno.ENOENT, "No such file or directory", 5),
]


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_what_is_no_failure_of_the_disk_stays_what_it_is(tmp_path, error):
    with pytest.raises(type(error), match=re.escape(str(error))), disk_failures_told(tmp_path):
        raise error
    with pytest.raises(RuntimeError), disk_failures_told():
        raise RuntimeError("inline_container")
    full = "^No space left on device: make room on the disk, and go on with --c"
    with pytest.raises(UserError, match=full), disk_failures_told():
        raise OSError(errno.ENOSPC, "No space left on device")


def test_torch_that_finds_no_folder_is_told_of_the_folder(tmp_path):
    gone = tmp_path / "fold_0"
    with pytest.raises(UserError, match=f"^{gone} is gone: bring it back"), disk_failures_told(gone / "checkpoint.pth"):
        torch.save({}, gone / "checkpoint.pth")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_is_told_wherever_the_file_is(number):
    told = "^/elsewhere/file: .*: check the disk and its permissions, and go on with --c from the last checkpoint$"
    with pytest.raises(UserError, match=told), disk_failures_told():
        raise OSError(number, os.strerror(number), "/elsewhere/file")


def test_a_file_of_nnunet_is_told_whatever_is_wrong_with_it(root):
    for folder in ("raw", "preprocessed", "results"):
        file = root / folder / CT / "file"
        with pytest.raises(UserError, match=f"^{file}: Permission denied: check the disk"), disk_failures_told():
            raise PermissionError(errno.EACCES, "Permission denied", str(file))


def test_a_training_that_is_not_begun_does_not_go_on(root, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mass_nnunet.trainers.base.guarded.check_plans", fail)
    with pytest.raises(SystemExit, match=r"^error: No space left on device: make room on the disk$"):
        trainer("MASSTrainer")


def test_a_longer_training_that_is_killed_goes_on_from_its_last_epoch(root, monkeypatch):
    """nnU-Net goes on from checkpoint_final.pth where there is one, and that is the model of before."""
    one = trainer("SupervisedTrainer")
    one.num_epochs = 1
    one.run_training()
    fold = Path(one.output_folder)
    finished = (fold / "checkpoint_final.pth").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    longer = trainer("SupervisedTrainer", continue_training=True)
    longer.num_epochs, longer.current_epoch = 3, 1
    monkeypatch.setattr(longer.logger, "plot_progress_png", killed)  # the last thing in an epoch
    with pytest.raises(SystemExit, match="130"):
        longer.run_training()
    assert checkpoint_to_go_on_from(fold).name == "checkpoint_latest.pth"
    assert (fold / "checkpoint_final_earlier.pth").read_bytes() == finished


def test_the_model_of_before_is_kept_until_there_is_a_new_one_in_every_results_folder(root):
    one = begun("MASSTrainer")
    folders = [Path(each.output_folder) for each in one.dataset_trainers]
    for folder in folders:
        (folder / "checkpoint_final.pth").write_bytes(b"before")
    one.save_checkpoint("checkpoint_latest.pth")
    one.save_checkpoint("checkpoint_best.pth")
    assert all((folder / "checkpoint_final_earlier.pth").read_bytes() == b"before" for folder in folders)
    one.save_checkpoint("checkpoint_final.pth")
    for folder in folders:
        assert not (folder / "checkpoint_final_earlier.pth").exists()
        assert (folder / "checkpoint_final.pth").read_bytes() != b"before"


def test_a_results_folder_that_is_gone_ends_the_training(root):
    one = trainer("SupervisedTrainer")
    one.initialize()
    shutil.rmtree(one.output_folder)
    with pytest.raises(SystemExit, match=r"^error: .*fold_0 is gone: bring it back, and train again with --c$"):
        one.save_checkpoint("checkpoint_latest.pth")


FULL_TORCH = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 0")
FULL_DISK = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL_TORCH, FULL_DISK], ids=["torch", "system"])
def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line_and_the_last_one_stays(root, monkeypatch, error):
    one = begun("SupervisedTrainer")
    fold = Path(one.output_folder)
    before = {file: file.read_bytes() for file in fold.iterdir()}

    def fail(*_: object) -> None:
        raise error

    told = rf"^error: {fold}/checkpoint_latest.pth[^\n]*: make room on the disk, and go on with --c from the last"
    monkeypatch.setattr("torch.save", fail)
    with pytest.raises(SystemExit, match=told):
        one.save_checkpoint("checkpoint_latest.pth")
    assert {file: file.read_bytes() for file in fold.iterdir()} == before


def test_a_disk_that_fails_in_the_course_of_a_training_is_told_in_one_line(root, monkeypatch):
    one = trainer("SupervisedTrainer")
    file = Path(one.output_folder) / "progress.png"

    def fail(*_: object) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system", str(file))

    monkeypatch.setattr(one.logger, "plot_progress_png", fail)
    told = rf"^error: {file}: Read-only file system: check the disk and its permissions, and go on with --c"
    with pytest.raises(SystemExit, match=told):
        one.run_training()


@pytest.mark.parametrize("name", METHODS)
def test_a_training_of_a_suspended_machine_writes_no_checkpoint_over_those_of_another(root, name, monkeypatch):
    one = trainer(name)
    one.num_epochs = 2
    begin, fold = one.on_epoch_start, Path(one.output_folder)

    def awake_again() -> None:
        begin()
        os.utime(fold / "lock-0001", (0, 0))
        Lock.take(fold, tidy=True).release()

    monkeypatch.setattr(one, "on_epoch_start", awake_again)
    with pytest.raises(SystemExit, match=rf"^error: {fold} was taken over by another training[^\n]*one end$"):
        one.run_training()
    assert not list((root / "results").rglob("*.pth")) and not list((root / "results").rglob("lock-*"))


@pytest.mark.parametrize("name", METHODS)
def test_a_second_training_is_refused_before_it_writes_anything(root, name):
    one = begun(name)
    with Lock.take(Path(one.output_folder), tidy=True):
        assert f"{one.output_folder} belongs to another training" in refused(root, name)
        with pytest.raises(SystemExit, match="belongs to another training"):
            one.run_training()
        with pytest.raises(SystemExit, match="belongs to another training"):
            one.perform_actual_validation()
    trainer(name)
