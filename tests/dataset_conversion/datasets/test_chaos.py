import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.dataset_conversion.datasets.chaos import (
    SEQUENCES,
    decode_gray,
    dicom_slices,
    find_cases,
    find_ct_cases,
    targets,
)
from mass_nnunet.errors import UserError
from mass_nnunet.labels import LABELS
from native_trees import CHAOS_GRAYS, SHARED_DATA, organs, same_content, scan, source, write_chaos_patient, write_slices


@pytest.fixture
def patient(tmp_path) -> Path:
    return write_chaos_patient(tmp_path / "Train_Sets/MR/1")


def read_one(root: Path, sequence: str = "T2SPIR") -> tuple[sitk.Image, sitk.Image]:
    (case,) = find_cases(source(root), (sequence,))
    return case.read()[:2]


def test_patients_of_both_parts_keep_apart(tmp_path):
    for folder in ("train/Train_Sets/MR/1", "train/Train_Sets/MR/13", "test/Test_Sets/MR/1", "test/Test_Sets/MR/4"):
        write_chaos_patient(tmp_path / folder, grays=CHAOS_GRAYS if "Train" in folder else None)
    cases = find_cases(source(tmp_path), ("T2SPIR", "T1OUT"))
    assert {case.name: (case.patient, case.label is not None) for case in cases} == {
        "chaos_01_T2SPIR": ("chaos_01", True),
        "chaos_01_T1OUT": ("chaos_01", True),
        "chaos_13_T2SPIR": ("chaos_13", True),
        "chaos_13_T1OUT": ("chaos_13", True),
        "chaos_test_01_T2SPIR": ("chaos_test_01", False),
        "chaos_test_01_T1OUT": ("chaos_test_01", False),
        "chaos_04_T2SPIR": ("chaos_04", False),
        "chaos_04_T1OUT": ("chaos_04", False),
    }


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("downwards", [False, True])
def test_every_sequence_equals_what_was_written(tmp_path, sequence, downwards):
    write_chaos_patient(tmp_path / "Train_Sets/MR/1", downwards=downwards)
    (case,) = find_cases(source(tmp_path), (sequence,))
    image, label, _ = case.read()
    assert same_content(image, scan() + 5 if sequence == "T1OUT" else scan())
    assert same_content(label, organs(LABELS))
    assert len(case.files()) == (18 if sequence == "T1" else 12)
    alone, no_label, _ = replace(case, label=None).read()
    assert same_content(alone, image)
    assert no_label is None


def test_phases_in_one_folder_are_told_apart_by_echo_time(tmp_path, patient):
    folder = patient / "T1DUAL/DICOM_anon"
    for phase in ("InPhase", "OutPhase"):
        for path in (folder / phase).iterdir():
            path.rename(folder / path.name)
        (folder / phase).rmdir()
    assert same_content(read_one(tmp_path, "T1IN")[0], scan())
    image, label = read_one(tmp_path, "T1OUT")
    assert same_content(image, scan() + 5)
    assert same_content(label, organs(LABELS))
    for path in folder.glob("IMG-0005*"):
        path.unlink()
    with pytest.raises(UserError, match=r"does not hold two echo times, but 1"):
        read_one(tmp_path, "T1IN")


def test_both_phases_are_two_channels_of_one_scan(tmp_path, patient):
    (case,) = find_cases(source(tmp_path), ("T1",))
    assert case.name.endswith("_T1") and len(case.files()) == 3 * len(list((patient / "T1DUAL/Ground").iterdir()))
    image, label, _ = case.read()
    (second,) = case.read_more(image)
    assert same_content(image, scan()) and same_content(second, scan() + 5)
    assert same_content(label, organs(LABELS))
    words = argparse.Namespace(dataset_id=802, ct_dataset_id=None, sequences=["T1"])
    (target,) = targets(source(tmp_path), words)
    assert target.channels == ["T1in", "T1out"]
    words.sequences = ["T1", "T2SPIR"]
    with pytest.raises(UserError, match="--sequences T1 T2SPIR: T1 has two channels, and goes with no other"):
        targets(source(tmp_path), words)
    with pytest.raises(UserError, match=r"no CHAOS MRI of T1: expected Train_Sets/MR/1/T1DUAL"):
        find_cases(source(patient), ("T1",))


def test_gray_values_are_intervals():
    plane = np.array([[0, 55, 70, 110, 135, 175, 200, 240, 255]], np.uint8)
    assert decode_gray(plane, Path("x")).tolist() == [[0, 4, 4, 2, 2, 3, 3, 1, 1]]
    for value in (1, 54, 71, 109, 136, 174, 201, 239):
        with pytest.raises(UserError, match=rf"p.png holds the value {value}"):
            decode_gray(np.array([[0, value]], np.uint8), Path("p.png"))


def test_missing_planes_and_slices(tmp_path, patient):
    planes = sorted((patient / "T2SPIR/Ground").iterdir())
    planes[2].unlink()
    with pytest.raises(UserError, match=r"6 DICOM slices in .*T2SPIR/DICOM_anon but 5 label planes in .*Ground"):
        read_one(tmp_path)
    sorted((patient / "T2SPIR/DICOM_anon").iterdir())[2].unlink()
    with pytest.raises(UserError, match=r"6.00 mm apart, the other slices 3.00 mm"):
        read_one(tmp_path)
    shutil.rmtree(patient / "T2SPIR/DICOM_anon")
    with pytest.raises(UserError, match=r"T2SPIR/DICOM_anon holds no DICOM slice"):
        read_one(tmp_path)


def test_no_cases(tmp_path):
    with pytest.raises(UserError, match=r"holds no CHAOS MRI of T1IN: expected Train_Sets/MR/1/T1DUAL"):
        find_cases(source(tmp_path), ("T1IN",))


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_real_slice_has_all_four_organs(tmp_path):
    real = SHARED_DATA / "chaos_mr_slice"
    patient = tmp_path / "Train_Sets/MR/1/T1DUAL"
    shutil.copytree(real / "DICOM_anon", patient / "DICOM_anon/InPhase")
    shutil.copytree(real / "Ground", patient / "Ground")
    (case,) = find_cases(source(tmp_path), ("T1IN",))
    image, label, _ = case.read()
    assert set(np.unique(sitk.GetArrayFromImage(label))) == set(LABELS.values())
    assert image.GetSize() == label.GetSize() == (256, 256, 1)
    assert [path.name for path in dicom_slices(patient / "DICOM_anon", "InPhase")] == ["IMG-0004-00040.dcm"]


def test_cts_are_scans_without_labels(tmp_path):
    for part, number in (("Train_Sets", 1), ("Train_Sets", 5), ("Test_Sets", 1), ("Test_Sets", 3)):
        write_slices(scan(number), tmp_path / f"{part}/CT/{number}/DICOM_anon", "i{:04d},0000b.dcm", downwards=True)
    cases = find_ct_cases(source(tmp_path))
    assert [case.name for case in cases] == ["chaos_ct_01", "chaos_ct_05", "chaos_ct_test_01", "chaos_ct_03"]
    assert all(case.label is None and case.patient == case.name for case in cases)
    assert same_content(cases[1].read().image, scan(5))
    with pytest.raises(UserError, match=r"holds no CHAOS CT: expected Train_Sets/CT/1"):
        find_ct_cases(source(tmp_path / "Train_Sets/CT/1"))


def test_empty_ground(tmp_path):
    write_chaos_patient(tmp_path / "Train_Sets/MR/1", grays=dict.fromkeys(CHAOS_GRAYS, 0))
    with pytest.raises(UserError, match=r"T2SPIR/Ground has no annotated voxel"):
        read_one(tmp_path)
