"""``mass_nnunet phantom`` from the command line: repeated, interrupted and misused."""

from pathlib import Path

import pytest

from mass_nnunet.cli import main
from mass_nnunet.phantom.command import UNFINISHED, PatientToWrite

COUNTS = ("--ct", "2", "--mri", "1", "--unlabelled-ct", "1", "--unlabelled-mri", "1", "--size", "8", "32", "32")
PATIENTS = (
    "BTCV/RawData/Training/img/img0001.nii.gz",
    "BTCV/RawData/Training/img/img0002.nii.gz",
    "BTCV/RawData/Testing/img/img0061.nii.gz",
    "CHAOS/Train_Sets/MR/1",
    "CHAOS/Test_Sets/MR/4",
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def complete(tmp_path_factory) -> dict[str, bytes]:
    """All files of an undisturbed run."""
    out = tmp_path_factory.mktemp("phantom") / "new"
    assert main(["phantom", str(out), *COUNTS]) == 0
    return files_of(out)


def test_writes_both_trees(complete):
    slices = 8
    assert sum(name.endswith(".dcm") for name in complete) == 2 * 3 * slices
    assert sum(name.endswith(".png") for name in complete) == 2 * slices
    assert all(name.startswith("CHAOS/Train_Sets") for name in complete if name.endswith(".png"))
    assert all(any(name.startswith(patient) for name in complete) for patient in PATIENTS)
    assert {name for name in complete if "label" in name} == {
        f"BTCV/RawData/Training/label/label000{number}.nii.gz" for number in (1, 2)
    }
    assert not any(UNFINISHED in name for name in complete)


def test_a_killed_run_is_completed_by_the_same_command(complete, tmp_path, monkeypatch):
    original = PatientToWrite.write

    def die_halfway(patient: PatientToWrite) -> None:
        if patient.modality == "MRI":  # its slices are half written when the power goes
            half = patient.out / UNFINISHED / f"MRI_{patient.number}" / "T1DUAL/DICOM_anon/InPhase"
            half.mkdir(parents=True)
            (half / "IMG-0004-00001.dcm").write_bytes(b"half")
            raise RuntimeError("killed")
        original(patient)

    monkeypatch.setattr(PatientToWrite, "write", die_halfway)
    with pytest.raises(RuntimeError, match="killed"):
        main(["phantom", str(tmp_path), *COUNTS, "-np", "1"])
    assert not (tmp_path / "CHAOS").exists()
    first = tmp_path / PATIENTS[0]
    before = first.stat().st_mtime_ns
    monkeypatch.undo()
    assert main(["phantom", str(tmp_path), *COUNTS]) == 0
    assert first.stat().st_mtime_ns == before
    assert files_of(tmp_path) == complete


def test_more_patients_are_added_to_those_there(tmp_path, capsys):
    small = ["--mri", "0", "--unlabelled-ct", "0", "--unlabelled-mri", "0", "--size", "8", "32", "32"]
    assert main(["phantom", str(tmp_path), "--ct", "1", *small]) == 0
    assert main(["phantom", str(tmp_path), "--ct", "2", *small]) == 0
    assert "1 patients written, 1 already there" in capsys.readouterr().out


@pytest.mark.parametrize(("modality", "number", "labelled"), [("CT", 1, True), ("CT", 61, False), ("MRI", 1, True)])
def test_the_whole_patient_is_moved_into_place(complete, tmp_path, modality, number, labelled):
    patient = PatientToWrite(tmp_path, modality, number, labelled, seed=0, size=(8, 32, 32))
    patient.write()
    assert patient.marker.exists()
    written = files_of(tmp_path)
    assert written and all(complete[name] == content for name, content in written.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "4", "32", "32"), "--size 4 32 32 is too small"),
        (("--unlabelled-ct", "-1"), "--unlabelled-ct -1 is negative"),
        (("-np", "0"), "-np 0"),
    ],
)
def test_bad_options_are_one_line(tmp_path, capsys, options, message):
    assert main(["phantom", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_folder_of_another_phantom_is_refused(tmp_path, capsys):
    nobody = ["--ct", "0", "--mri", "0", "--unlabelled-ct", "0", "--unlabelled-mri", "0"]
    assert main(["phantom", str(tmp_path), *nobody]) == 0
    assert main(["phantom", str(tmp_path), *nobody, "--seed", "1"]) == 2
    assert "another --seed or --size" in capsys.readouterr().err


def test_folder_of_real_data_is_refused(tmp_path, capsys):
    (tmp_path / "BTCV").mkdir()
    assert main(["phantom", str(tmp_path)]) == 2
    assert "did not write" in capsys.readouterr().err


def test_unwritable_folder_is_refused(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(["phantom", str(tmp_path / "file")]) == 2
    assert "choose another folder" in capsys.readouterr().err
    monkeypatch.setattr("os.access", lambda *_: False)  # whoever runs the tests may be root, who may write anywhere
    assert main(["phantom", str(tmp_path / "out")]) == 2
    assert "cannot write to" in capsys.readouterr().err
