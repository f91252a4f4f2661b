"""Tests run on the CPU, with one thread for each process, and never in the user's nnU-Net folders."""

import os

import pytest

for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results", "nnUNet_extTrainer"):
    os.environ.pop(variable, None)
os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1")
# As many workers as cores: more threads would only wait for each other. To be set before torch is imported.
os.environ.update(OMP_NUM_THREADS="1", GOMP_SPINCOUNT="0")


def pytest_collection_modifyitems(items):
    """Tests on a planned group train on it; those of tests/integration start nnU-Net's own commands."""
    for item in items:
        if "integration" in item.path.parts or "planned" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """The group of :mod:`tiny_group`, which no test changes."""
    from tiny_group import make_group  # it imports nnU-Net, which most tests do without

    root = tmp_path_factory.mktemp("planned")
    make_group(root)
    return root


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model that has hardly learned anything, with its data: the root of nnU-Net's folders, which no test changes."""
    from quick_training import train_quickly
    from tiny_group import make_group, trainer, use_folders

    root = tmp_path_factory.mktemp("trained")
    make_group(root)
    with pytest.MonkeyPatch.context() as patch:
        use_folders(patch, root)
        train_quickly(patch)
        mass = trainer("MASSTrainer")
        mass.num_epochs = 1
        mass.run_training()
    return root


@pytest.fixture
def root(planned, tmp_path, monkeypatch):
    """A copy of the planned group, as nnU-Net's folders."""
    from tiny_group import copied

    return copied(planned, tmp_path / "group", monkeypatch)


@pytest.fixture
def two_threads():
    """torch has two threads in the test, and then as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clock(monkeypatch):
    """The time that locks go by: it goes on while they wait, which takes no time."""
    from fake_clock import FakeClock

    return FakeClock(monkeypatch)
