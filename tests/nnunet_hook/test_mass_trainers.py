"""What the import of the module does; nnU-Net's own search finds it in integration/test_end_to_end.py."""

import os
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import torch

from mass_nnunet import trainers
from mass_nnunet.runtime.env import HOOK_FOLDER

ITK_THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"


@pytest.fixture
def hook(two_threads, monkeypatch):
    """The module, imported anew where torch has two threads and the environment asks for one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(ITK_THREADS, "restored after the test")
    monkeypatch.delenv(ITK_THREADS)
    (file,) = HOOK_FOLDER.glob("*.py")
    spec = spec_from_file_location(file.stem, file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_holds_all_trainers_and_no_second_class_of_one(hook):
    """A second class of one name could not be pickled."""
    assert all(getattr(hook, name) is getattr(trainers, name) for name in trainers.__all__)


def test_threads_are_as_few_as_the_environment_asks_for(hook):
    assert torch.get_num_threads() == 1
    assert os.environ[ITK_THREADS] == "1"
