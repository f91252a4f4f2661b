import pytest

from dicom_export import PATIENT, write_series
from mass_nnunet.dataset_conversion.dicom.export import read_export
from mass_nnunet.errors import UserError
from mass_nnunet.phantom.dicom import make_uid
from native_trees import scan, source
from oblique import tilted


def names(export) -> list[str]:
    return [one.name for one in export.series]


def test_patients_time_points_and_series(tmp_path):
    """Three studies of two patients; one of them has married and has two ids."""
    later = {"StudyDate": "20210101", "PatientName": "Muster^Erika", "PatientID": "MRN4711"}
    write_series(scan(0), tmp_path / "a", "x", study="1", SeriesNumber=7)
    write_series(scan(1), tmp_path / "b", "y", study="1", SeriesNumber=3)
    write_series(scan(2), tmp_path / "c", "z", study="2", **later)
    write_series(scan(3), tmp_path / "d", "w", study="3", PatientID="0815", PatientBirthDate="19700101")
    export = read_export(source(tmp_path), "CT")
    assert len({one.patient for one in export.series}) == 2
    first = next(one.patient for one in export.series if one.uid == make_uid("1", "x"))
    found = {one.uid: one.name for one in export.series if one.patient == first}
    assert found == {
        make_uid("1", "y"): f"{first}_t1_s1",
        make_uid("1", "x"): f"{first}_t1_s2",
        make_uid("2", "z"): f"{first}_t2_s1",
    }
    assert [one.number for one in export.series] == [1, 2, 3, 4]


def test_scans_of_one_series_have_numbers_and_names_of_their_own(tmp_path):
    def other(dataset, index):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = make_uid("other", index)

    write_series(scan(), tmp_path, name="a{}", modality="MR", EchoTime=2.3)
    write_series(scan(), tmp_path, name="b{}", modality="MR", EchoTime=4.6, change=other)
    write_series(tilted(scan(), 90, 0)[:, :, :1], tmp_path, "b", name="scout{}", modality="MR", SeriesNumber=1)
    export = read_export(source(tmp_path), "MR")
    assert names(export) == ["p001_t1_s1", "p001_t1_s2-1", "p001_t1_s2-2"]
    assert [one.description.split(", ")[1:] for one in export.series[1:]] == [["echo 2.3 ms"], ["echo 4.6 ms"]]


def test_of_several_reconstructions_that_with_most_slices_is_taken(tmp_path):
    same = {"AcquisitionDate": "20200103", "AcquisitionTime": "101500.5"}

    def later(dataset, index):  # each slice has a time of its own, and the last one has the first name
        dataset.AcquisitionTime = f"10150{index}.5"

    write_series(scan()[:, :, :5], tmp_path / "a", "a", SeriesNumber=1, change=later, name="IM{}", **same)
    write_series(scan(), tmp_path / "b", "b", SeriesNumber=2, change=lambda d, i: later(d, 5 - i), name="X{}", **same)
    write_series(scan(), tmp_path / "c", "c", SeriesNumber=3, AcquisitionTime="111500")
    export = read_export(source(tmp_path), "CT")
    assert [one.reserve for one in export.series] == ["another reconstruction of series 2", "", ""]


def test_a_description_is_shown_without_the_patient(tmp_path):
    write_series(scan(), tmp_path, SeriesDescription="CT of Mustermann, erika\n")
    assert read_export(source(tmp_path), "CT").series[0].description == "CT of ***, ***"


def test_files_of_other_kinds_are_counted(tmp_path):
    write_series(scan(), tmp_path)
    (tmp_path / "viewer.exe").write_bytes(b"MZ" * 99)
    (tmp_path / "more.zip").write_bytes(b"PK")  # archives are unpacked apart
    damaged = tmp_path / "damaged"
    damaged.write_bytes((tmp_path / "IM0000").read_bytes()[:300])
    export = read_export(source(tmp_path), "CT")
    assert (export.others, export.damaged, len(export.series)) == (1, 1, 1)


def test_patients_of_whom_nothing_is_said_are_apart(tmp_path):
    nobody = dict.fromkeys(PATIENT)
    for study in "12":
        write_series(scan(int(study)), tmp_path / study, study=study, **nobody)
    assert {one.patient for one in read_export(source(tmp_path), "CT").series} == {"p001", "p002"}


def test_an_anonymized_export_of_one_id(tmp_path):
    for study in "12":
        write_series(scan(int(study)), tmp_path / study, study=study)
    assert {one.patient for one in read_export(source(tmp_path), "CT").series} == {"p001"}
    apart = read_export(source(tmp_path), "CT", by_study=True)
    assert {one.patient for one in apart.series} == {"p001", "p002"}


def test_an_empty_export(tmp_path):
    with pytest.raises(UserError, match="holds no DICOM image"):
        read_export(source(tmp_path), "CT")
