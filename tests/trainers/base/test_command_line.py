"""What the command line asks of a training."""

import pytest

from mass_nnunet.trainers.base.command_line import only_validates


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nnUNetv2_train", "801", "3d_fullres", "0", "--val"], True),
        (["nnUNetv2_train", "801", "3d_fullres", "0", "--val_best"], False),
        (["nnUNetv2_train", "801", "3d_fullres", "0", "--c"], False),
    ],
)
def test_a_validation_is_told_from_a_training(words, expected, monkeypatch):
    assert only_validates(words) == expected
    monkeypatch.setattr("sys.argv", words)
    assert only_validates() == expected
