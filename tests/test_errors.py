import pytest

from mass_nnunet.errors import UserError, exit_on_user_error


def test_bad_input_ends_a_foreign_command_with_one_line_and_a_status():
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("scan.nii is broken: get another")
    # Python prints a message that is given in place of a status, and ends with 1.
    assert ended.value.code == "error: scan.nii is broken: get another"
    assert ended.value.__suppress_context__


def test_other_errors_keep_their_traceback():
    with pytest.raises(ValueError, match="ours"), exit_on_user_error():
        raise ValueError("ours")
