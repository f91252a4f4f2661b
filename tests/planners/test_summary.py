"""planners/summary.py: the table, the warning of a coarse grid, and the note on channels."""

from pathlib import Path

from mass_nnunet.data.raw import RawDataset
from mass_nnunet.planners.summary import coarser_than_stock, next_steps, several_channels, table, without_labels
from tiny_raw import write_raw_dataset

CT = {"shapes_after_crop": [[100, 200, 200]] * 3, "spacings": [[5, 2, 2], [5, 2, 2], [2.5, 2, 2]]}
MRI = {"shapes_after_crop": [[32, 256, 256]], "spacings": [[7.7, 1.25, 1.25]]}


def group(*channels: str) -> list[RawDataset]:
    names = {str(number): name for number, name in enumerate(channels)}
    return [RawDataset(number, Path(name), {"channel_names": names}) for number, name in ((801, "A"), (802, "B"))]


def test_table_has_the_grids_the_share_and_the_tiles():
    """At 5 x 2 x 2 mm the CTs have 100, 100 and 50 slices, of which a patch of 50 takes all, or every half."""
    header, ct, mri = table(group("CT"), [CT, MRI], [5, 2, 2], [50, 200, 200]).splitlines()
    assert header.endswith("tiles a scan")
    assert ct.split("  ")[0] == "A" and mri.split("  ")[0] == "B"
    assert ct.split()[1:] == ["5", "x", "2", "x", "2"] * 3 + ["3", "33%", "3"]
    assert " ".join(mri.split()).startswith("B 7.7 x 1.25 x 1.25 7.7 x 1.25 x 1.25 5 x 2 x 2 1 100% 1")


def test_tiles_are_those_of_the_typical_scan_and_the_most_of_any():
    mixed = {"shapes_after_crop": [[50, 9, 9], [60, 9, 9], [200, 9, 9]], "spacings": [[5, 2, 2]] * 3}
    assert table(group("CT")[:1], [mixed], [5, 2, 2], [50, 10, 10]).endswith(" 33%  2 (up to 7)")


def test_a_grid_coarser_than_that_of_stock_is_one_warning():
    (warning,) = coarser_than_stock(group("CT"), [CT, MRI], [14.0, 1.33, 1.33])
    assert "finer grid than 14 x 1.33 x 1.33 mm for A (z 5 mm) and B (z 7.7 mm, y 1.25 mm, x 1.25 mm)" in warning
    assert warning.startswith("warning: ") and warning.endswith("plan again with --spacing native")
    (warning,) = coarser_than_stock(group("CT"), [CT, MRI], [7.7, 1.25, 1.25])
    assert "for A (z 5 mm);" in warning and "B (" not in warning


def test_a_rounding_or_a_finer_grid_is_no_warning():
    assert coarser_than_stock(group("CT"), [CT, MRI], [5.01, 1.25, 1.251]) == []
    assert coarser_than_stock(group("CT"), [CT, MRI], [3.0, 1.0, 1.0]) == []


def test_only_several_channels_are_worth_a_note():
    assert several_channels(group("CT")) == []
    (note,) = several_channels(group("T1", "T2"))
    assert note == "note: similarity and intensity adaptation use the first channel only (T1 in A, T1 in B)"


def test_a_dataset_without_labels_is_worth_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    write_raw_dataset(tmp_path, "Dataset801_A", "CT", ["a"], shape=(2, 4, 4))
    write_raw_dataset(tmp_path, "Dataset802_B", "MRI", (), ["b"], shape=(2, 4, 4))
    labelled, unlabelled = (RawDataset.load(number) for number in (801, 802))
    assert without_labels([labelled]) == []
    (note,) = without_labels([labelled, unlabelled])
    assert note.startswith("note: no scan of Dataset802_B has a label")


def test_next_steps_name_the_datasets():
    assert "mass_nnunet split -d 801 802 " in next_steps(group("CT"))
    assert "nnUNetv2_train 801 3d_fullres 0 -tr MASSTrainer -p MASSPlans" in next_steps(group("CT"))
