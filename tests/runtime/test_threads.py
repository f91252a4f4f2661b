import os
import subprocess
import sys

import pytest
import torch

from mass_nnunet.runtime import threads


@pytest.mark.parametrize(("value", "number"), [("3", 3), ("4,2", 4), ("", 0), ("many", 0), ("0", 0)])
def test_number_that_is_asked_for(monkeypatch, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.asked_threads() == number


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("8", 2), ("", 2)])
def test_torch_has_no_more_threads_than_asked_for(monkeypatch, two_threads, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    threads.limit_torch()
    assert torch.get_num_threads() == number


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
