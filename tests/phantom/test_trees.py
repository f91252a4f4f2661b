"""The native layouts: the files hold the synthetic scans."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.labels import LABELS
from mass_nnunet.phantom import btcv_tree, chaos_tree, dicom
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


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_btcv_files_hold_the_synthetic_scan(tmp_path, number):
    patient = make_patient(0, number, "CT", SIZE)
    btcv_tree.write_patient(tmp_path, patient, labelled=True)
    scan = patient.scans["CT"]
    for path, expected in ((f"img/img000{number}", scan.image), (f"label/label000{number}", scan.btcv)):
        image = sitk.ReadImage(str(tmp_path / f"{path}.nii.gz"))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)
        np.testing.assert_allclose(image.GetSpacing(), scan.spacing, rtol=1e-5)
        np.testing.assert_allclose(image.GetOrigin(), scan.origin, rtol=1e-5)
        np.testing.assert_allclose(image.GetDirection(), scan.direction, atol=1e-6)


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


def test_unlabelled_patients_have_no_labels(tmp_path):
    chaos_tree.write_patient(tmp_path / "mri", make_patient(0, 4, "MRI", SIZE), labelled=False)
    btcv_tree.write_patient(tmp_path / "ct", make_patient(0, 61, "CT", SIZE), labelled=False)
    assert not list(tmp_path.rglob("*.png"))
    assert [path.name for path in (tmp_path / "ct").rglob("*.nii.gz")] == ["img0061.nii.gz"]


@pytest.mark.parametrize("tree", [btcv_tree, chaos_tree])
def test_labelled_and_unlabelled_patients_are_different_people(tree):
    train, test = tree.train_numbers(2000), tree.test_numbers(2000)
    assert len(set(train) | set(test)) == 4000


def test_numbers_are_the_published_ones():
    assert btcv_tree.train_numbers(30) == [*range(1, 11), *range(21, 41)]
    assert btcv_tree.test_numbers(20) == list(range(61, 81))
    assert sorted(chaos_tree.train_numbers(20) + chaos_tree.test_numbers(20)) == list(range(1, 41))
