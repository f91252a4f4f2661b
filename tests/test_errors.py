import errno

import pytest

from mass_nnunet.errors import UserError, disk_line, exit_on_user_error, shortened


def test_bad_input_ends_a_foreign_command_with_one_line_and_a_status():
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("scan.nii is broken: get another")
    # Python prints a message that is given in place of a status, and ends with 1.
    assert ended.value.code == "error: scan.nii is broken: get another"
    assert ended.value.__suppress_context__


def test_other_errors_keep_their_traceback():
    with pytest.raises(ValueError, match="ours"), exit_on_user_error():
        raise ValueError("ours")


def test_a_value_of_any_size_is_short_in_a_message():
    assert shortened({"a": [1, "b"]}) == "{'a': [1, 'b']}"
    assert shortened("x" * 500) == f"'{'x' * 79}..."
    bomb: list = ["x"]
    for _ in range(60):
        bomb = [bomb] * 9
    assert len(shortened(bomb)) <= 83


def test_the_line_of_a_disk_that_fails():
    assert disk_line(OSError(errno.EFBIG, "File too large", "a.csv")) == "a.csv: File too large: make room on the disk"
    gone = OSError(errno.EIO, "Input/output error")
    assert disk_line(gone) == "Input/output error: check the disk and its permissions"
    assert disk_line(OSError("torn")) == "torn: check the disk and its permissions"
