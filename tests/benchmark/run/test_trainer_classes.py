import os

import pytest

from mass_nnunet import trainers
from mass_nnunet.benchmark.run.trainer_classes import find_trainer
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.env import EXTERNAL_TRAINERS
from mass_nnunet.trainers import DualStreamTrainer, TCSMTrainer

OTHER = """
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from mass_nnunet.trainers import DualStreamTrainer

class TheirTrainer(nnUNetTrainer):
    pass

class TheirGroupTrainer(DualStreamTrainer):
    pass

class NoTrainer:
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with trainers of another package."""
    (tmp_path / "their_trainers.py").write_text(OTHER)
    monkeypatch.setenv("nnUNet_extTrainer", str(tmp_path))
    return tmp_path


def test_trainers_of_this_package_obey_their_plans_and_splits():
    kind = find_trainer("DualStreamTrainer")
    assert kind.is_ours and kind.together
    assert (kind.choices, kind.changes) == (DualStreamTrainer.inferences, DualStreamTrainer.CHANGES)
    assert (kind.revision, find_trainer("TCSMTrainer").revision) == (1, TCSMTrainer.REVISION) != (1, 1)


@pytest.mark.parametrize("name", ["nnUNetTrainer", "nnUNetTrainerNoMirroring", "TheirTrainer"])
def test_trainers_that_nnunet_finds_train_each_dataset_alone(folder, name, capsys):
    kind = find_trainer(name)
    assert not kind.is_ours and not kind.together and kind.choices == () and kind.changes == {}
    assert capsys.readouterr().out == ""
    assert os.environ[EXTERNAL_TRAINERS] == str(folder)


def test_a_trainer_of_another_package_may_be_derived_from_one_of_this(folder):
    kind = find_trainer("TheirGroupTrainer")
    assert kind.is_ours and kind.together


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MASTrainer", f"'MASTrainer', which is no trainer: there are {trainers.__all__[0]}, "),
        ("NoTrainer", "'NoTrainer', which is no subclass of nnUNetTrainer"),
    ],
)
def test_what_is_no_trainer(folder, name, text):
    with pytest.raises(UserError) as error:
        find_trainer(name)
    assert text in str(error.value) and "\n" not in str(error.value)


def test_a_folder_that_cannot_be_searched(folder):
    (folder / "a_broken.py").write_text("import a_package_that_is_not_there")
    with pytest.raises(UserError, match=r"cannot look for the trainer TheirTrainer .*: repair"):
        find_trainer("TheirTrainer")
