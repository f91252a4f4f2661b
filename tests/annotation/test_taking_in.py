"""The steps by which labels and scans become training data; each can be repeated, after any interruption."""

import json
import os
import shutil
from itertools import count
from pathlib import Path

import pytest
import SimpleITK as sitk

from exported_scans import HIDDEN, contents, correct, take_in
from mass_nnunet.annotation import annotate_in_command
from mass_nnunet.annotation.taking_in import (
    BEGUN,
    REPLACED,
    begin,
    begun,
    checked_structures,
    count_scans,
    end,
    forget_arrays,
    has_label,
    move_scan,
    put_label,
    say_structures,
    scan_files,
)
from mass_nnunet.data.outdated import check_splits
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from region_group import give_regions
from tiny_group import CT, MRI, entry


@pytest.fixture
def dataset(pair):
    return RawDataset.load(801)


def label(dataset, value=0):
    image = sitk.ReadImage(str(dataset.folder / "labelsTr" / "ct0.nii.gz"))
    image[0, 0, 0] = value
    return image


def test_a_label_is_written_once(dataset):
    file = dataset.folder / "labelsTr" / "ctun.nii.gz"
    assert put_label(dataset, "ctun", label(dataset))
    before = file.stat().st_mtime_ns
    assert not put_label(dataset, "ctun", label(dataset))
    assert has_label(dataset, "ctun", label(dataset))
    assert not has_label(dataset, "ctun", label(dataset, 2))
    assert not has_label(dataset, "ctzz", label(dataset))
    assert file.stat().st_mtime_ns == before
    assert not (dataset.folder / REPLACED).exists()
    assert not list(dataset.folder.glob(".tmp*"))


def test_every_label_that_is_replaced_is_kept(dataset):
    file, kept = dataset.folder / "labelsTr" / "ct1.nii.gz", dataset.folder / REPLACED
    first = file.read_bytes()
    for value in (2, 3, 2, 4):
        assert put_label(dataset, "ct1", label(dataset, value))
    assert (kept / "1_ct1.nii.gz").read_bytes() == first
    values = [sitk.ReadImage(str(kept / f"{i}_ct1.nii.gz"))[0, 0, 0] for i in (2, 3)]
    assert values == [2, 3]
    assert len(list(kept.iterdir())) == 3, "the second 2 is there already"


def test_a_label_that_cannot_be_read_is_replaced_and_kept(dataset):
    file = dataset.folder / "labelsTr" / "ct1.nii.gz"
    file.write_bytes(b"garbage")
    assert put_label(dataset, "ct1", label(dataset, 1))
    assert (dataset.folder / REPLACED / "1_ct1.nii.gz").read_bytes() == b"garbage"


def test_arrays_of_a_former_label_are_deleted_and_later_ones_stay(dataset, tmp_path):
    names = [
        f"{folder}/ct1{ending}"
        for folder in ("MASSPlans_3d_fullres", "nnUNetPlans_2d", "MASSPlans_3d_fullres_unlabelled")
        for ending in (".b2nd", "_seg.b2nd", ".pkl")
    ] + ["gt_segmentations/ct1.nii.gz", "MASSPlans_3d_fullres/ct10.b2nd"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    since = (dataset.folder / "labelsTr" / "ct1.nii.gz").stat().st_mtime
    os.utime(tmp_path / "nnUNetPlans_2d" / "ct1.b2nd", (since + 9, since + 9))
    for name in names:
        if name != "nnUNetPlans_2d/ct1.b2nd":
            os.utime(tmp_path / name, (since - 9, since - 9))
    forget_arrays(dataset, "ct1", tmp_path)
    left = {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() and "group" not in path.parts
    }
    assert left == {name for name in names if "unlabelled" in name or "ct10" in name} | {"nnUNetPlans_2d/ct1.b2nd"}
    forget_arrays(dataset, "ct1", tmp_path / "absent")


def test_scans_are_moved_also_in_two_steps(dataset):
    assert [file.parent.name for file in scan_files(dataset, "ctun")] == ["imagesUn"]
    move_scan(dataset, "ctun")
    move_scan(dataset, "ctun")
    assert [file.parent.name for file in scan_files(dataset, "ctun")] == ["imagesTr"]
    count_scans(dataset)
    assert json.loads((dataset.folder / "dataset.json").read_text()) == dataset.content | {"numTraining": 6}
    before = (dataset.folder / "dataset.json").stat().st_mtime_ns
    count_scans(RawDataset.load(801))
    assert (dataset.folder / "dataset.json").stat().st_mtime_ns == before


def test_scans_that_were_begun_with_are_known_until_they_are_ended(dataset):
    assert begun(dataset) == set()
    begin(dataset, [])
    assert not (dataset.folder / BEGUN).exists()
    begin(dataset, ["ct1"])
    begin(dataset, ["ct0", "ct1"])
    end(dataset, ["ct1", "ct2"])
    assert begun(dataset) == {"ct0"}
    end(dataset, ["ct0"])
    assert not (dataset.folder / BEGUN).exists()


def test_scans_that_are_gone_or_in_two_parts_are_refused(dataset):
    with pytest.raises(UserError, match=r"ctxx_0000.nii.gz is not there, nor in imagesTr: was the scan renamed"):
        scan_files(dataset, "ctxx")
    (dataset.folder / "imagesUn" / "ct0_0000.nii.gz").touch()
    with pytest.raises(UserError, match=r"imagesUn/ct0_0000.nii.gz is in imagesTr, too: remove one"):
        scan_files(dataset, "ct0")


def test_structures_of_scans(dataset):
    file = dataset.folder / "annotated.json"
    say_structures(dataset, ["ct0"], None)
    assert not file.exists()
    say_structures(dataset, ["ct0", "ct1"], ["liver"])
    say_structures(dataset, ["ct1"], None)
    assert json.loads(file.read_text()) == {"ct0": ["liver"]}
    assert checked_structures(dataset, None) is None
    assert checked_structures(dataset, ["liver", "spleen"]) == ("spleen", "liver")
    assert checked_structures(dataset, ["liver", "spleen", "left_kidney", "right_kidney"]) is None
    with pytest.raises(
        UserError, match=f"--structures heart is none of {CT}: it has spleen, right_kidney, left_kidney"
    ):
        checked_structures(dataset, ["heart"])
    give_regions(dataset.folder)
    with pytest.raises(UserError, match="--structures is not supported for the regions of Dataset"):
        checked_structures(RawDataset.read(dataset.folder), ["liver"])


def test_a_second_run_says_so_and_changes_nothing(pair, folder, capsys):
    assert take_in(folder) == 0
    before, _ = contents(pair), capsys.readouterr()
    assert take_in(folder) == 0
    assert "were taken in before: nothing was changed\nfold 2 trains on them" in capsys.readouterr().out
    assert contents(pair) == before


def test_one_dataset_after_the_other_extends_the_fold_again(pair, folder):
    assert take_in(folder, "-d", "802") == 0
    assert (pair / "raw" / CT / "imagesUn" / "ctun_0000.nii.gz").exists()
    assert entry(pair, CT, 2)["train"] == entry(pair, CT, 0)["train"]
    assert take_in(folder, "-d", "801") == 0
    assert entry(pair, MRI, 3)["train"] == entry(pair, MRI, 2)["train"] == sorted([*entry(pair, MRI)["train"], "mrun"])
    assert {"ctun", HIDDEN} <= set(entry(pair, CT, 3)["train"])
    assert entry(pair, CT, 3)["extends"] == 2


def test_a_label_that_is_corrected_again_is_replaced_in_the_same_fold(pair, folder, capsys):
    assert take_in(folder) == 0
    arrays = pair / "preprocessed" / CT / "MASSPlans_3d_fullres"
    arrays.mkdir()
    (arrays / "ctun_seg.b2nd").touch()
    correct(folder, CT, "ctun", value=2)
    assert take_in(folder, "-d", "801") == 0
    assert "took in the labels of ctun\nfold 2 trains" in capsys.readouterr().out
    assert not (arrays / "ctun_seg.b2nd").exists()
    assert len(json.loads((pair / "preprocessed" / CT / "splits_final.json").read_text())) == 3
    assert (pair / "raw" / CT / "labelsReplaced" / "1_ctun.nii.gz").exists()


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_change_it_loses_nothing_and_goes_on(pair, folder, tmp_path, monkeypatch, after):
    replace, copy = Path.replace, tmp_path / "copy"
    shutil.copytree(pair, copy)
    assert take_in(folder) == 0
    whole = contents(pair)
    for number in count(1):
        shutil.rmtree(pair)
        shutil.copytree(copy, pair)
        scans = {path.read_bytes() for path in pair.rglob("images*/*")}
        labels = {path.read_bytes() for path in pair.rglob("labels*/*")}
        calls = count(1)

        def dying(self, target, number=number, calls=calls):
            dies = next(calls) == number
            if dies and not after:
                raise KeyboardInterrupt
            moved = replace(self, target)
            if dies:
                raise KeyboardInterrupt
            return moved

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            status = take_in(folder)
        assert {path.read_bytes() for path in pair.rglob("images*/*")} == scans
        assert labels <= {path.read_bytes() for path in pair.rglob("labels*/*")}
        for ident, name in ((801, CT), (802, MRI)):  # sound meanwhile
            check_splits(RawDataset.load(ident), pair / "preprocessed" / name)
        if status == 0:
            break
        assert status == 130
        assert take_in(folder) == 0
        assert contents(pair) == whole
    assert number > 8


def test_what_was_said_of_scans_that_were_taken_in_before_stays(pair, folder, capsys):
    assert take_in(folder, "--structures", "liver", "-d", "802") == 0
    before = contents(pair)
    for words in ((), ("--structures", "spleen")):
        capsys.readouterr()
        assert take_in(folder, "-d", "802", *words) == 0
        assert "were taken in before: nothing was changed" in capsys.readouterr().out
        assert contents(pair) == before
    assert take_in(folder) == 0
    assert entry(pair, MRI, 3)["annotated"] == {"mrun": ["liver"]}
    assert "annotated" not in entry(pair, CT, 3)


@pytest.mark.parametrize("has_splits", [True, False])
def test_structures_of_a_label_that_is_corrected_again_are_said_also_after_a_kill(
    pair, folder, capsys, monkeypatch, has_splits
):
    if not has_splits:
        for name in (CT, MRI):
            (pair / "preprocessed" / name / "splits_final.json").unlink()
    assert take_in(folder, "--structures", "liver") == 0
    correct(folder, MRI, "mrun", value=2, start=(2, 20, 4))
    with monkeypatch.context() as patch:
        patch.setattr(annotate_in_command, "count_scans", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert take_in(folder) == 130
    capsys.readouterr()
    assert take_in(folder) == 0
    assert "took in the labels of mrun\n" in capsys.readouterr().out
    assert json.loads((pair / "raw" / MRI / "annotated.json").read_text()) == {}
    assert json.loads((pair / "raw" / CT / "annotated.json").read_text()) == {"ctun": ["liver"], HIDDEN: ["liver"]}
    if has_splits:
        assert "annotated" not in entry(pair, MRI, 2)
        assert entry(pair, CT, 2)["annotated"] == {"ctun": ["liver"], HIDDEN: ["liver"]}
    assert take_in(folder) == 0
    assert "nothing was changed" in capsys.readouterr().out


def test_a_run_that_mends_the_count_of_scans_does_not_say_that_nothing_was_changed(pair, folder, capsys):
    assert take_in(folder) == 0
    file = pair / "raw" / CT / "dataset.json"
    whole = file.read_text()
    file.write_text(json.dumps(json.loads(whole) | {"numTraining": 1}))
    capsys.readouterr()
    assert take_in(folder) == 0
    assert "nothing was changed" not in capsys.readouterr().out
    assert file.read_text() == whole
