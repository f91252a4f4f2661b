"""The steps by which labels and scans become training data; each can be repeated."""

import json
import os

import pytest
import SimpleITK as sitk

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
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from tiny_group import CT


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
