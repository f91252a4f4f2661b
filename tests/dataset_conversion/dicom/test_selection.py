import pytest

from dicom_export import write_series
from mass_nnunet.dataset_conversion.dicom.export import Export, read_export
from mass_nnunet.dataset_conversion.dicom.selection import chosen_series, rows
from mass_nnunet.errors import UserError
from native_trees import scan, source


@pytest.fixture
def export(tmp_path) -> Export:
    """Series 1 to 4: two plain MR scans of one study, a projection, and one with too few slices."""
    for number, (description, kind) in enumerate(
        [("T1 tra", "M"), ("T2 tra fs", "M"), ("T2 MIP", "MIP"), ("T2", "M")], 1
    ):
        image = scan(number)[:, :, :2] if number == 4 else scan(number)
        write_series(
            image,
            tmp_path / str(number),
            str(number),
            modality="MR",
            SeriesDescription=description,
            SeriesNumber=number,
            ImageType=["ORIGINAL", "PRIMARY", kind],
        )
    return read_export(source(tmp_path), "MR")


@pytest.mark.parametrize(
    ("picks", "numbers"),
    [
        (["all"], [1, 2]),
        (["t2.*tra"], [2]),
        (["T2"], [2]),  # a pattern takes plain scans only
        (["3"], [3]),  # a number takes a derived one as well
        (["1", "t2"], [1, 2]),
    ],
)
def test_picks(picks, numbers, export):
    assert [one.number for one in chosen_series(export, picks, "MR")] == numbers


@pytest.mark.parametrize(
    ("picks", "message"),
    [
        ([], r"two MR scans of one study, series 1 \(T1 tra\) and series 2 \(T2 tra fs\): pick with --series"),
        (["9"], "--series 9: .* has 4 series"),
        (["4"], "--series 4 cannot be taken, only 2 slices, as in a localizer: export it again, or pick"),
        (["dwi"], "--series dwi: no scan that can be taken has such a description"),
        (["["], r"--series \[ is neither a number nor a regular expression"),
    ],
)
def test_what_cannot_be_picked(picks, message, export):
    with pytest.raises(UserError, match=message):
        chosen_series(export, picks, "MR")


def test_the_table_says_why_a_series_is_not_taken(export):
    taken = chosen_series(export, ["t2"], "MR")
    assert [row[-1] for row in rows(export, taken, {})] == [
        "not taken: not picked",
        "taken",
        "not taken: derived from other images (MIP)",
        "not taken: only 2 slices, as in a localizer",
    ]
    assert rows(export, taken, {})[1][:6] == ("2", "p001_t1_s2", "MR", "T2 tra fs", "6", "3 x 2 x 1.5")
