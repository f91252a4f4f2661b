"""Some hundred damaged inputs of each kind; experiments/fuzz.py reads them by the ten thousand."""

import os
import random
import sys

import pytest

if sys.platform != "linux":
    pytest.skip("forks and limits of Linux", allow_module_level=True)

from fuzz_documents import DatasetJson, GridYaml, Plans, Splits
from fuzz_files import Checkpoint, Dicom, Nifti, Zip
from fuzz_target import Target
from fuzzing import fuzz
from mass_nnunet.errors import UserError

COUNTS = {DatasetJson: 80, Splits: 150, Plans: 40, GridYaml: 150, Zip: 60, Checkpoint: 150, Nifti: 150, Dicom: 20}


@pytest.mark.parametrize("kind", COUNTS, ids=lambda kind: kind.name)
def test_a_damaged_input_is_read_or_refused_in_a_clear_line(kind, tmp_path, request):
    planned = request.getfixturevalue("planned") if kind.needs_plans else None
    assert fuzz(kind, tmp_path, range(COUNTS[kind]), planned) == []


class Broken(Target):
    """Reads its inputs badly, each in another way."""

    name = "broken"

    def damage(self, rng: random.Random) -> None:
        self.number = int((self.folder / "number").read_text())

    def read(self) -> None:
        if self.number == 0:
            raise KeyError("x")
        if self.number == 1:
            raise UserError("")
        if self.number == 2:
            raise UserError(f"a {object()}")
        if self.number == 3:
            raise OSError("nothing is named")
        if self.number == 4:
            bytearray(1 << 34)
        if self.number == 5:
            (self.folder.parent / "outside").touch()
        if self.number == 6:
            raise SystemExit("error: x.json is damaged: repair it")
        if self.number == 7:
            sys.exit("y" * 30_000)


def test_what_is_wrong_is_found(tmp_path):
    found = {finding.number: finding.what for finding in fuzz(Broken, tmp_path, range(9))}
    assert found == {
        0: "KeyError",
        1: "an empty message",
        2: "a message with 'object at'",
        3: "an error of the system that names no file",
        4: "MemoryError",
        5: "a file outside of the folder",
        7: "a message without end",
    }


def test_a_hang_is_found_and_a_process_that_dies_is_not_the_end(tmp_path, monkeypatch):
    class Deadly(Broken):
        def read(self) -> None:
            if self.number == 0:
                os._exit(7)
            while self.number == 1:
                pass

    monkeypatch.setattr("fuzzing.SECONDS", 0.2)
    found = {finding.number: finding.what for finding in fuzz(Deadly, tmp_path, range(3))}
    assert found == {0: "process ended with 7", 1: "hangs, more than 0 s"}
