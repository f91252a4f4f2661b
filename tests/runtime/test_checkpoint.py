"""mass_nnunet.runtime.checkpoint: weights and numbers are read, and no code is run."""

import zipfile

import numpy as np
import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.runtime.checkpoint import read_checkpoint
from trap import Trap


def test_what_trainers_write(tmp_path):
    """nnU-Net's own ones log NumPy's numbers."""
    content = {"network_weights": {"a": torch.arange(3)}, "logging": {"dice": [np.float64(0.5), np.float32(1)]}}
    content |= {"init_args": {"device": torch.device("cpu"), "fold": 0}, "trainer_name": "x", "_best_ema": np.int64(3)}
    torch.save(content, tmp_path / "c.pth")
    found = read_checkpoint(tmp_path / "c.pth")
    assert found["network_weights"]["a"].tolist() == [0, 1, 2]
    assert found["logging"] == content["logging"] and found["_best_ema"] == 3


def test_what_trainers_wrote_with_numpy_1(tmp_path):
    """Its pickles call a module by another name."""
    new, old = tmp_path / "new.pth", tmp_path / "old.pth"
    torch.save({"logging": [np.float32(0.5), np.float64(2)], "network_weights": {"a": torch.ones(2)}}, new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            renamed = content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            assert (renamed != content) == entry.filename.endswith("data.pkl")
            target.writestr(entry.filename, renamed)
    found = read_checkpoint(old)
    assert found["logging"] == [0.5, 2] and found["network_weights"]["a"].tolist() == [1, 1]


def test_what_would_run_code(tmp_path):
    file = tmp_path / "c.pth"
    torch.save({"logging": Trap(tmp_path / "sprung")}, file)
    with pytest.raises(UserError, match=r"c.pth holds \S+, not only weights and numbers.*: get the model as"):
        read_checkpoint(file)
    assert not (tmp_path / "sprung").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4" + bytes(50)])
def test_what_is_damaged(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"c.pth "):
        read_checkpoint(tmp_path / "c.pth")


def test_what_is_no_checkpoint(tmp_path):
    torch.save([1, 2], tmp_path / "c.pth")
    with pytest.raises(UserError, match=r"c.pth is no checkpoint of a training: copy it again, or train again"):
        read_checkpoint(tmp_path / "c.pth")
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "absent.pth")
