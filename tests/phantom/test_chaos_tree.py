"""CHAOS's numbers, gray values and file names, and files that hold the synthetic scans."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.labels import LABELS
from mass_nnunet.phantom import chaos_tree, dicom
from mass_nnunet.phantom.chaos_tree import GRAY_VALUES, file_stems, gray_labels, train_numbers
from mass_nnunet.phantom.chaos_tree import test_numbers as numbers_without_labels
from mass_nnunet.phantom.patient import Patient, make_patient

SIZE = (9, 32, 40)


def read_metadata(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


@pytest.fixture(scope="module", params=[4, 5], ids=["upwards", "downwards"])
def mri(request, tmp_path_factory) -> tuple[Path, Patient]:
    folder, patient = tmp_path_factory.mktemp("chaos"), make_patient(0, request.param, "MRI", SIZE)
    chaos_tree.write_patient(folder, patient, labelled=True)
    return folder, patient


def test_the_first_numbers_are_chaos_s():
    assert sorted([*train_numbers(20), *numbers_without_labels(20)]) == list(range(1, 41))
    assert train_numbers(3) == [1, 2, 3] and numbers_without_labels(2) == [4, 6]


@pytest.mark.parametrize("amount", [0, 20, 2000])
def test_no_number_is_in_both_parts_or_twice(amount):
    assert len({*train_numbers(amount), *numbers_without_labels(amount)}) == 2 * amount


def test_gray_values_lie_in_the_published_intervals():
    """liver 55 to 70, right kidney 110 to 135, left kidney 175 to 200, spleen 240 to 255."""
    gray = gray_labels(np.arange(max(LABELS.values()) + 1, dtype=np.uint8))
    assert gray[0] == 0 and gray.dtype == np.uint8
    for name, (low, high) in {
        "liver": (55, 70),
        "right_kidney": (110, 135),
        "left_kidney": (175, 200),
        "spleen": (240, 255),
    }.items():
        assert low <= GRAY_VALUES[name] == gray[LABELS[name]] <= high


def test_the_two_t1_phases_are_numbered_alternately():
    for number in (1, 2):
        scans = dict.fromkeys(("T1IN", "T1OUT", "T2SPIR"), SimpleNamespace(image=np.zeros((4, 2, 2))))
        patient = SimpleNamespace(number=number, scans=scans)
        both = [set(file_stems(patient, sequence)) for sequence in ("T1IN", "T1OUT")]
        assert not both[0] & both[1]
        assert len(both[0] | both[1]) == 8
        assert len(set(file_stems(patient, "T2SPIR"))) == 4


@pytest.mark.parametrize(
    ("folder", "sequence"),
    [("T2SPIR/DICOM_anon", "T2SPIR"), ("T1DUAL/DICOM_anon/InPhase", "T1IN"), ("T1DUAL/DICOM_anon/OutPhase", "T1OUT")],
)
def test_dicom_series_ordered_by_position_is_the_synthetic_scan(mri, folder, sequence):
    root, patient = mri
    scan = patient.scans[sequence]
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(root / folder))  # one series, by position
    assert len(files) == SIZE[0]
    image = sitk.ReadImage(files)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), scan.image)
    np.testing.assert_allclose(image.GetSpacing(), scan.spacing, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), scan.origin, rtol=1e-6)
    assert (list(files) == sorted(files)) == (patient.number % 2 == 0)  # against the file numbers in odd patients


@pytest.mark.parametrize(("part", "series"), [("T2SPIR", "DICOM_anon"), ("T1DUAL", "DICOM_anon/InPhase")])
def test_ground_has_the_stems_and_the_labels_of_its_slices(mri, part, series):
    root, patient = mri
    scan = patient.scans["T2SPIR" if part == "T2SPIR" else "T1IN"]
    grays = {"liver": 63, "right_kidney": 126, "left_kidney": 189, "spleen": 252}
    expected = sum((scan.organs == LABELS[name]).astype(int) * gray for name, gray in grays.items())
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(root / part / series))
    pngs = [root / part / "Ground" / f"{Path(file).stem}.png" for file in files]
    ground = np.stack([sitk.GetArrayFromImage(sitk.ReadImage(str(png))) for png in pngs])
    np.testing.assert_array_equal(ground, expected)
    assert ground.dtype == np.uint8
    assert len(list((root / part / "Ground").iterdir())) == SIZE[0]


def test_tags_are_those_of_the_originals(mri):
    root, patient = mri
    inside, outside = (
        [read_metadata(path) for path in sorted((root / "T1DUAL/DICOM_anon" / phase).iterdir())]
        for phase in ("InPhase", "OutPhase")
    )
    files = inside + outside
    assert len({file.GetMetaData(dicom.SOP_INSTANCE) for file in files}) == 2 * SIZE[0]
    assert len({file.GetMetaData(dicom.SERIES_UID) for file in files}) == 2
    assert len({file.GetMetaData(dicom.STUDY_UID) for file in files}) == 1
    assert float(inside[0].GetMetaData(dicom.ECHO_TIME)) > float(outside[0].GetMetaData(dicom.ECHO_TIME))
    assert float(inside[0].GetMetaData(dicom.SLICE_THICKNESS)) < 0.9 * patient.scans["T1IN"].spacing[2]
    assert inside[0].GetMetaData(dicom.PATIENT_ID).strip() == f"MR_SET_{patient.number}"
    assert inside[0].GetMetaData(dicom.MODALITY).strip() == "MR"


def test_dicom_files_are_the_same_each_time(mri, tmp_path):
    root, patient = mri
    chaos_tree.write_patient(tmp_path, patient, labelled=True)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) == 5 * SIZE[0]
    assert all(path.read_bytes() == (tmp_path / path.relative_to(root)).read_bytes() for path in files)


def test_an_unlabelled_patient_has_no_labels(tmp_path):
    chaos_tree.write_patient(tmp_path, make_patient(0, 4, "MRI", SIZE), labelled=False)
    assert list(tmp_path.rglob("*.dcm")) and not list(tmp_path.rglob("*.png"))
