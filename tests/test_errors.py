import pytest

from mass_nnunet.errors import UserError, exit_on_user_error


def test_a_users_error_ends_the_process_with_its_line():
    with pytest.raises(SystemExit) as ended, exit_on_user_error():
        raise UserError("scan.nii is broken: get another")
    assert ended.value.code == "error: scan.nii is broken: get another"
    assert ended.value.__suppress_context__, "no traceback of the error itself"


def test_other_errors_are_not_taken_for_a_users():
    with pytest.raises(ValueError, match="a bug"), exit_on_user_error():
        raise ValueError("a bug")
