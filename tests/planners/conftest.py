import pytest

from mass_nnunet.cli import main
from planned_pair import COMMAND, NAMES
from quick_planning import plan_quickly
from tiny_raw import write_raw_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two planned and preprocessed datasets. Tests may plan again, but leave behind what ``COMMAND`` writes."""
    root = tmp_path_factory.mktemp("plan")
    raw = root / "raw"
    write_raw_dataset(raw, NAMES[0], "CT", ["ct0", "ct1", "ct2"], ["ct3", "ct4"], ["ct5"])
    write_raw_dataset(raw, NAMES[1], "MRI", ["mr0", "mr1"], ["mr2"], shape=(6, 30, 26), spacing=(7.0, 1.5, 1.5), seed=1)
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{kind}", str(root / kind))
        plan_quickly(patch)
        assert main(COMMAND) == 0
        yield root
