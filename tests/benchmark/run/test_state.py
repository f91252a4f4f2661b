import json

import pytest

from mass_nnunet.benchmark.run import state
from mass_nnunet.errors import UserError
from mass_nnunet.runtime.lock import Lock


def test_cell_that_was_never_begun_waits(tmp_path):
    assert state.read_record(tmp_path / "cell") == {}
    assert state.state(tmp_path / "cell") == state.WAITING
    assert state.is_open(tmp_path / "cell", 0, ["segmentation"], "")


def test_running_needs_a_living_holder(tmp_path):
    state.write_record(tmp_path, {"state": state.RUNNING})
    assert state.state(tmp_path) == state.INTERRUPTED
    with Lock.take(tmp_path):
        assert state.state(tmp_path) == state.RUNNING
    assert state.is_open(tmp_path, 0, ["segmentation"], "")


def test_done_is_not_open_unless_another_inference_is_wanted(tmp_path):
    state.write_record(tmp_path, {"state": state.DONE, "inferences": ["segmentation"]})
    assert state.state(tmp_path) == state.DONE
    assert not state.is_open(tmp_path, 9, ["segmentation"], "")
    assert state.is_open(tmp_path, 0, ["segmentation", "atlas"], "")


@pytest.mark.parametrize(("failures", "retries", "is_open"), [(1, 0, False), (1, 1, True), (2, 1, False)])
def test_failed_is_open_as_often_as_allowed(tmp_path, failures, retries, is_open):
    state.write_record(tmp_path, {"state": state.FAILED, "failures": failures})
    assert state.is_open(tmp_path, retries, ["segmentation"], "") == is_open


def test_broken_record_is_named(tmp_path):
    (tmp_path / "cell.json").write_text(json.dumps({"state": "done"})[:-1])
    with pytest.raises(UserError, match=r"cell\.json is not valid JSON .* remove"):
        state.state(tmp_path)
