import os
import subprocess
import sys

import pytest
import torch

from mass_nnunet.runtime import threads
from mass_nnunet.runtime.env import HOOK_FOLDER


@pytest.mark.parametrize(("value", "number"), [("3", 3), ("4,2", 4), ("", 0), ("many", 0), ("0", 0)])
def test_number_that_is_asked_for(monkeypatch, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.asked_threads() == number


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("8", 2), ("", 2)])
def test_torch_has_no_more_threads_than_asked_for(monkeypatch, two_threads, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    threads.limit_torch()
    assert torch.get_num_threads() == number


def test_finding_a_trainer_of_ours_undoes_what_nnunet_has_set():
    code = "import torch; torch.set_num_threads(2); import mass_trainers; print(torch.get_num_threads())"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HOOK_FOLDER)}
    output = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert output.stdout.split()[-1] == "1"


@pytest.mark.parametrize("given", [None, "5"])
def test_itk_has_as_many_unless_its_own_variable_is_set(given):
    code = (
        "from mass_nnunet.runtime.threads import limit_itk; import SimpleITK as sitk; limit_itk();"
        "print(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "3"}
    environment.pop("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", None)
    if given:
        environment["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = given
    output = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert output.stdout.split() == [given or "3"]


def test_small_work_is_not_shared(two_threads):
    with threads.threads_for(threads.SHARED_VOXELS - 1):
        assert torch.get_num_threads() == 1
    with pytest.raises(KeyError), threads.threads_for(9 * threads.SHARED_VOXELS):
        assert torch.get_num_threads() == 2
        raise KeyError
    assert torch.get_num_threads() == 2
