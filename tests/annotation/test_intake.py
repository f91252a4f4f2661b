"""What of a folder is taken in, what not, and why."""

import json

import pytest

from exported_scans import correct, export, label_file
from mass_nnunet.annotation.exchange import read_export
from mass_nnunet.annotation.intake import check_intake, finish_moves
from mass_nnunet.annotation.taking_in import move_scan
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from tiny_group import CT, entry


@pytest.fixture
def folder(pair, tmp_path):
    return export(tmp_path / "out", (CT, "ctun"), (CT, "ctzz"), proposal=pair / "raw" / CT / "labelsTr" / "ct0.nii.gz")


def cases(folder):
    dataset = RawDataset.load(801)
    return [(exported, dataset) for exported in read_export(folder).cases]


def splits(pair):
    return {CT: json.loads((pair / "preprocessed" / CT / "splits_final.json").read_text())}


def names(pairs):
    return [exported.case for exported, _ in pairs]


def test_changed_and_accepted_labels_are_taken_and_others_left_out(pair, folder):
    correct(folder, CT, "ctun")
    found = check_intake(folder, cases(folder), splits(pair), 0, [])
    assert names(found.wanted) == found.of(RawDataset.load(801)) == ["ctun"]
    (note,) = found.notes
    assert note.endswith(
        "ctzz_label.nii.gz is as it was exported: the scan is left out (--accept ctzz takes it as it is)"
    )
    (label_file(folder, CT, "ctzz").parent / "ctzz_label.seg.nrrd").touch()
    (note,) = check_intake(folder, cases(folder), splits(pair), 0, []).notes
    assert "as it was exported; ctzz_label.seg.nrrd beside it is not read: the scan" in note
    found = check_intake(folder, cases(folder), None, 0, ["ctzz"])
    assert names(found.wanted) == ["ctun", "ctzz"]
    assert found.notes == []


def test_an_empty_label_is_not_accepted_and_nobody_is_advised_to(pair, tmp_path):
    folder = export(tmp_path / "empty", (CT, "ctun"), (CT, "ctzz"))
    correct(folder, CT, "ctun")
    (note,) = check_intake(folder, cases(folder), splits(pair), 0, []).notes
    assert note.endswith("ctzz_label.nii.gz is as it was exported: the scan is left out")
    with pytest.raises(UserError, match=r"^--accept ctzz: .*ctzz_label.nii.gz is empty: annotate the scan$"):
        check_intake(folder, cases(folder), splits(pair), 0, ["ctun", "ctzz"])


def test_a_folder_in_which_nothing_was_changed_is_refused(pair, folder):
    with pytest.raises(UserError, match=r"out holds no corrected label: nothing was changed$") as error:
        check_intake(folder, cases(folder), splits(pair), 0, [])
    assert len(str(error.value).splitlines()) == 3


def test_accepted_scans_of_an_earlier_run_are_done(pair, folder):
    for case in ("ctun", "ctzz"):
        move_scan(RawDataset.load(801), case)
    assert names(check_intake(folder, cases(folder), None, 0, []).done) == ["ctun", "ctzz"]
    its = splits(pair)
    its[CT][0]["train"].append("ctun")
    its[CT][0]["unlabelled"].remove("ctun")
    found = check_intake(folder, cases(folder), its, 0, [])
    assert (names(found.done), len(found.notes)) == (["ctun"], 1)


def test_all_wrong_labels_are_named(folder):
    for case in ("ctun", "ctzz"):
        correct(folder, CT, case, value=9)
    with pytest.raises(UserError) as error:
        check_intake(folder, cases(folder), None, 0, [])
    lines = str(error.value).splitlines()
    assert [line.rpartition("_label")[0].rpartition("/")[2] for line in lines] == ["ctun", "ctzz"]


def test_scans_of_patients_who_are_validated_on_by_now_are_left_out(pair, folder):
    correct(folder, CT, "ctun")
    correct(folder, CT, "ctzz")
    its = splits(pair)
    its[CT][0]["unlabelled"].remove("ctzz")
    its[CT][0]["val"].append("ctzz")
    found = check_intake(folder, cases(folder), its, 0, [])
    assert names(found.wanted) == ["ctun"]
    assert found.notes == ["ctzz is left out: its patient is validated on by now"]
    its[CT][0]["unlabelled"].remove("ctun")
    with pytest.raises(UserError, match=r"ctun of .*801_CTS is not in the splits: run `mass_nnunet split` again"):
        check_intake(folder, cases(folder), its, 0, [])


def test_a_move_of_several_channels_is_finished(pair, folder):
    dataset = RawDataset.load(801)
    content = {**dataset.content, "channel_names": {"0": "CT", "1": "PET"}}
    (dataset.folder / "dataset.json").write_text(json.dumps(content))
    for part, case in (("imagesTr", "ctun"), ("imagesUn", "ctun"), ("imagesUn", "ctzz"), ("imagesUn", "ctzz")):
        (dataset.folder / part / f"{case}_000{int(part == 'imagesUn')}.nii.gz").write_bytes(b"x")
    (dataset.folder / "imagesUn" / "ctun_0000.nii.gz").unlink()
    finish_moves(cases(folder))
    assert sorted(path.name for path in (dataset.folder / "imagesUn").iterdir()) == [
        "ctzz_0000.nii.gz",
        "ctzz_0001.nii.gz",
    ]
    assert (dataset.folder / "imagesTr" / "ctun_0001.nii.gz").is_file()
    assert "ctun" in entry(pair, CT)["unlabelled"]
