"""A table of series has aligned columns."""

from mass_nnunet.dataset_conversion.dicom.table import table

ROW = ("1", "p001_t1_s1", "CT", "venous", "120", "3 x 0.8 x 0.8", "taken")


def test_columns_are_aligned_and_lines_have_no_spaces_at_their_ends():
    lines = table([ROW, ("12", "", "MR", "a description of some length", "3", "", "")]).splitlines()
    assert len(lines) == 3
    for column, cell in enumerate(("no.", "case", "type", "description", "slices", "voxel mm (z y x)")):
        assert lines[1].index(ROW[column]) == lines[0].index(cell)
    assert lines[2].startswith("12 ") and "a description of some length  3" in lines[2]
    assert all(line == line.rstrip() for line in lines)


def test_without_series_only_the_head_is_left():
    assert table([]).split() == ["no.", "case", "type", "description", "slices", "voxel", "mm", "(z", "y", "x)"]
