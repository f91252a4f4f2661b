"""Whose labels are whose; that structures are read and stored as they are: tests of the modules beside this one."""

import shutil

import SimpleITK as sitk
from pydicom import dcmread

from dicom_conversion import NAMED, convert, labels, write_labelled
from dicom_export import outlines, write_series, write_structures
from mass_nnunet.cli import main
from mass_nnunet.labels import LABELS
from native_trees import BTCV_VALUES, organs, same_content, scan, write


def test_label_maps_in_nifti_files_are_named_as_their_cases(raw, tmp_path, capsys):
    slices = write_series(scan(), tmp_path / "src")
    uid = dcmread(slices[0]).SeriesInstanceUID
    named = ["--labels", *(f"{name}={value}" for name, value in BTCV_VALUES.items()), "--test-fraction", "0"]
    for name in ("p001_t1_s1", uid):
        maps = tmp_path / name
        write(sitk.DICOMOrient(organs(BTCV_VALUES), "RAS"), maps / f"{name}.nii.gz")
        words = ["convert", "dicom", str(tmp_path / "src"), str(maps), "-d", "807", "--modality", "CT", "-np", "1"]
        assert main([*words, *named]) == 0
        assert same_content(labels(raw)["p001_t1_s1"], organs(LABELS))
        shutil.rmtree(raw / "Dataset807_CT")
    assert main(words) == 2
    assert "holds labels: say with --labels what they are" in capsys.readouterr().err
    write(organs(BTCV_VALUES), maps / "other.nii.gz")
    assert main([*words, *named]) == 2
    assert "other.nii.gz belongs to no taken series: name it as its case in --list" in capsys.readouterr().err
    assert main([*words[:3], str(tmp_path / "absent"), *words[4:], *named]) == 2
    assert "absent is no folder: give the folder of the labels" in capsys.readouterr().err


def test_a_scan_with_two_kinds_of_labels_is_refused(raw, tmp_path, capsys):
    write_labelled(tmp_path / "src", 1)
    write(organs(BTCV_VALUES), tmp_path / "maps/p001_t1_s1.nii.gz")
    words = ["convert", "dicom", str(tmp_path / "src"), str(tmp_path / "maps"), "-d", "807", "--modality", "CT"]
    assert main([*words, *NAMED]) == 2
    assert "series 1 has labels in series 2 and in" in capsys.readouterr().err


def test_two_label_maps_of_one_scan_are_refused(raw, tmp_path, capsys):
    uid = dcmread(write_series(scan(), tmp_path / "src")[0]).SeriesInstanceUID
    maps = tmp_path / "maps"
    for name in ("p001_t1_s1", uid):
        write(organs(BTCV_VALUES), maps / f"{name}.nii.gz")
    words = ["convert", "dicom", str(tmp_path / "src"), str(maps), "-d", "807", "--modality", "CT"]
    assert main([*words, "--labels", "liver=6"]) == 2
    error = capsys.readouterr().err
    assert f"{uid}.nii.gz and {maps / 'p001_t1_s1.nii.gz'} are both the labels of series 1: remove one" in error
    assert not list(raw.iterdir())


def test_a_label_map_that_fits_two_scans_is_refused(raw, tmp_path, capsys):
    """Two echoes of one series have one SeriesInstanceUID."""

    def other_uid(dataset, index):
        dataset.SOPInstanceUID += ".9"

    write_series(scan(), tmp_path / "src", name="a{}", modality="MR", EchoTime=2.3)
    second = write_series(scan(1), tmp_path / "src", name="b{}", modality="MR", EchoTime=4.6, change=other_uid)
    uid, maps = dcmread(second[0]).SeriesInstanceUID, tmp_path / "maps"
    write(organs(BTCV_VALUES), maps / f"{uid}.nii.gz")
    words = ["convert", "dicom", str(tmp_path / "src"), str(maps), "-d", "807", "--modality", "MR", "--series", "all"]
    assert main([*words, "--labels", "liver=6"]) == 2
    error = capsys.readouterr().err
    assert f"{uid}.nii.gz does not say whether it is of series 1 (p001_t1_s1-1) or series 2 (p001_t1_s1-2)" in error
    assert not list(raw.iterdir())


def test_labels_are_picked_by_number(raw, tmp_path, capsys):
    write_labelled(tmp_path / "src", 1)
    (slices,) = {tuple(sorted(path.iterdir())) for path in (tmp_path / "src").glob("*/CT 2")}
    write_structures(tmp_path / "src/second", {"Liver": outlines(organs(BTCV_VALUES), 6)}, slices)
    assert convert(tmp_path / "src", *NAMED, "--series", "1", "2", "--test-fraction", "0") == 0
    assert "not used: not picked" in capsys.readouterr().out
    assert len(labels(raw)) == 1


def test_labels_that_may_be_of_two_scans_are_refused(raw, tmp_path, capsys):
    def forget(dataset):
        del dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence

    slices = write_series(scan(), tmp_path / "src/a", "a", SeriesNumber=1)
    write_series(scan(1), tmp_path / "src/b", "b", SeriesNumber=2)
    write_structures(tmp_path / "src/rt", {"liver": outlines(organs(BTCV_VALUES), 6)}, slices, change=forget)
    assert convert(tmp_path / "src", "--labels", "liver") == 2
    assert "series 3 does not say whether it is of series 1 or series 2: pick one" in capsys.readouterr().err
    assert convert(tmp_path / "src", "--labels", "liver", "--series", "2", "--test-fraction", "0") == 0
    assert list(labels(raw)) == ["p001_t1_s2"]


def test_labels_that_no_taken_scan_has_are_told(raw, tmp_path, capsys):
    """Contours of one reconstruction, while another one has more slices."""
    when = {"AcquisitionDate": "20200103", "AcquisitionTime": "101500"}
    write_series(scan(), tmp_path / "src/a", "a", SeriesNumber=1, **when)
    slices = write_series(scan()[:, :, :5], tmp_path / "src/b", "b", SeriesNumber=2, **when)
    contours = outlines(organs(BTCV_VALUES)[:, :, :5], 6)
    write_structures(tmp_path / "src/rt", {"liver": contours}, slices)
    assert convert(tmp_path / "src", "--labels", "liver") == 0
    out = capsys.readouterr().out
    assert "not used: it is of series 2, which is not taken" in out
    assert "no label is used: all scans are without labels" in out
    shutil.rmtree(raw / "Dataset807_CT")
    assert convert(tmp_path / "src", "--labels", "liver", "--series", "2", "--test-fraction", "0") == 0
    assert "no label is used" not in capsys.readouterr().out and list(labels(raw)) == ["p001_t1_s2"]
    shutil.rmtree(tmp_path / "src/b")
    shutil.rmtree(raw / "Dataset807_CT")
    assert convert(tmp_path / "src", "--labels", "liver") == 0
    assert "not used: its scan is not here" in capsys.readouterr().out
