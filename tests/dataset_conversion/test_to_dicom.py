import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from dicom_export import PATIENT, write_enhanced, write_series
from mass_nnunet.cli import main
from mass_nnunet.data.files import write_json
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, affine, organs, same_content, scan, write
from oblique import tilted

pytest.importorskip("highdicom")
pytest.importorskip("dcmqi")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Write predictions and convert them; returns the exit status."""
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    (tmp_path / "raw").mkdir()

    def run(predictions: dict[str, sitk.Image], *options: str, labels: object = LABELS) -> int:
        for name, image in predictions.items():
            write(image, tmp_path / f"predictions/{name}.nii.gz")
        write_json(tmp_path / "predictions/dataset.json", {"labels": labels})
        words = [str(tmp_path / "predictions"), "--series", str(tmp_path / "src"), "-o", str(tmp_path / "out")]
        return main(["to-dicom", *words, *options])

    return run


def read_back(path: Path, like: sitk.Image) -> sitk.Image:
    """A segmentation by plain arithmetic on its elements: the segment's number at each voxel of a scan."""
    dataset = dcmread(path)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    (shared,) = dataset.SharedFunctionalGroupsSequence
    row, column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    down, across = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    result = np.zeros(like.GetSize(), np.uint8)
    to_index = np.linalg.inv(affine(like))
    for frame, item in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(item.PlanePositionSequence[0].ImagePositionPatient, float)
        for y, x in np.argwhere(frame):
            index = np.rint((to_index @ (*(position + x * across * row + y * down * column), 1))[:3]).astype(int)
            result[tuple(index)] = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    image = sitk.GetImageFromArray(result.T)
    image.CopyInformation(like)
    return image


def by_dcmqi(path: Path, folder: Path) -> sitk.Image:
    """A segmentation read by dcmqi, with the segment's number at each voxel."""
    import dcmqi

    folder.mkdir()
    program = Path(dcmqi.__file__).parent / "bin/segimage2itkimage"
    words = ["--inputDICOM", str(path), "--outputDirectory", str(folder), "--outputType", "nii", "--mergeSegments"]
    subprocess.run([str(program), *words], check=True, capture_output=True)
    (file,) = folder.glob("*.nii.gz")
    return sitk.ReadImage(str(file))


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_geometry_and_sides_of_every_orientation(codes, run, tmp_path):
    write_series(sitk.DICOMOrient(scan(), codes), tmp_path / "src")
    assert run({"p001_t1_s1": sitk.DICOMOrient(organs(LABELS), "RAS")}) == 0
    assert same_content(read_back(tmp_path / "out/p001_t1_s1.dcm", scan()), organs(LABELS))


@pytest.mark.parametrize("codes", AXIS_CODES[::9])
def test_dcmqi_reads_the_same(codes, run, tmp_path):
    write_series(sitk.DICOMOrient(scan(), codes), tmp_path / "src")
    assert run({"p001_t1_s1": sitk.DICOMOrient(organs(LABELS), "RAS")}) == 0
    found = by_dcmqi(tmp_path / "out/p001_t1_s1.dcm", tmp_path / "back")
    whole = sitk.Resample(found, scan(), sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(whole), sitk.GetArrayFromImage(organs(LABELS)))


def test_oblique_scans(run, tmp_path):
    image, label = tilted(scan(), 40, 25), tilted(organs(LABELS), 40, 25)
    write_series(image, tmp_path / "src")
    assert run({"a": label}) == 0
    assert np.array_equal(*map(sitk.GetArrayFromImage, (read_back(tmp_path / "out/a.dcm", image), label)))


def test_what_a_segmentation_states(run, tmp_path, capsys):
    def change(dataset, index):
        dataset.private_block(0x0099, "VENDOR", create=True).add_new(1, "LO", "Mustermann was here")
        dataset.ReferringPhysicianName, dataset.InstitutionName = "House^Gregory", "Hospital"
        dataset.BurnedInAnnotation = "NO"

    slices = write_series(scan(), tmp_path / "src", change=change)
    labels = LABELS | {"pancreas_tumour": 5, "left_gadget": 6, "aorta": 7, "ignore": 8}
    assert run({"a": organs(LABELS)}, "--model", "My model", labels=labels) == 0
    assert "they hold the patients' names and ids" in capsys.readouterr().out
    found, source = dcmread(tmp_path / "out/a.dcm"), dcmread(slices[0])
    assert [str(found.get(keyword)) for keyword in PATIENT] == list(PATIENT.values())
    assert found.StudyInstanceUID == source.StudyInstanceUID
    assert found.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert not [element for element in found.iterall() if element.tag.is_private]
    assert b"was here" not in (tmp_path / "out/a.dcm").read_bytes()
    segments = list(found.SegmentSequence)
    assert [one.SegmentLabel for one in segments] == [
        *("spleen", "right kidney", "left kidney", "liver", "pancreas tumour", "left gadget", "aorta")
    ]
    types = [one.SegmentedPropertyTypeCodeSequence[0] for one in segments]
    codes = [(one.CodeValue, one.CodingSchemeDesignator) for one in types]
    assert codes[:2] == [("78961009", "SCT"), ("64033007", "SCT")]
    assert codes[5] == ("LEFT_GADGET", "99MASSNNUNET")
    sides = [one.get("SegmentedPropertyTypeModifierCodeSequence") for one in types]
    assert [side and side[0].CodeMeaning for side in sides[:3]] == [None, "Right", "Left"]
    categories = {one.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning for one in segments}
    assert categories == {"Anatomical Structure", "Morphologically Abnormal Structure"}
    assert len({tuple(one.RecommendedDisplayCIELabValue) for one in segments[:4]}) == 4
    (algorithm,) = segments[0].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmName == "My model"
    assert segments[0].SegmentAlgorithmType == "AUTOMATIC"


def test_tilted_gantries_and_enhanced_files(run, tmp_path):
    image = scan()
    slices = write_series(image, tmp_path / "src/tilted", tilt=2 / 3)
    write_enhanced(sitk.DICOMOrient(image, "PIR"), tmp_path / "src/enhanced", "other")
    label = organs(LABELS)
    wide = np.zeros((6, 29, 24), np.uint8)  # as `convert dicom` straightens it: one row a slice
    for index, plane in enumerate(sitk.GetArrayFromImage(label)):
        wide[index, index : index + 24] = plane
    straight = sitk.GetImageFromArray(wide)
    straight.SetSpacing(label.GetSpacing())
    straight.SetOrigin(label.GetOrigin())
    assert run({"tilted": straight, "enhanced": label}) == 0
    assert same_content(read_back(tmp_path / "out/enhanced.dcm", image), label)
    dataset = dcmread(tmp_path / "out/tilted.dcm")
    places = {tuple(map(float, dcmread(path).ImagePositionPatient)) for path in slices}
    found = [tuple(map(float, item.PlanePositionSequence[0].ImagePositionPatient))
             for item in dataset.PerFrameFunctionalGroupsSequence]  # fmt: skip
    assert set(found) <= places
    assert dataset.pixel_array.sum() == np.count_nonzero(sitk.GetArrayFromImage(label))


def test_there_and_back_again(run, tmp_path):
    """Dice 1: what to-dicom writes, convert dicom reads."""
    write_series(scan(), tmp_path / "src/ct")
    assert run({"a": organs(LABELS)}) == 0
    names = ["spleen", "right_kidney", "left_kidney", "liver"]
    words = [str(tmp_path / "src"), str(tmp_path / "out"), "-d", "807", "--modality", "CT", "--labels", *names]
    assert main(["convert", "dicom", *words, "--test-fraction", "0", "-np", "1"]) == 0
    (found,) = (tmp_path / "raw").glob("D*/labelsTr/*")
    assert same_content(sitk.ReadImage(str(found)), organs(LABELS))


def test_names_count_with_a_key_file_or_as_uids(run, tmp_path, capsys):
    for number, name in enumerate("ab"):
        one = PATIENT | {"PatientID": f"MRN4711{name}", "PatientName": f"Mustermann^{name}"}
        slices = write_series(scan(number), tmp_path / f"src/{name}", study=name, **one)
    uid = dcmread(slices[0]).SeriesInstanceUID
    assert run({uid: organs(LABELS)}) == 0
    assert dcmread(tmp_path / f"out/{uid}.dcm").PatientID == "MRN4711b"
    (tmp_path / f"predictions/{uid}.nii.gz").unlink()
    (tmp_path / f"out/{uid}.dcm").unlink()
    assert run({"p001_t1_s1": organs(LABELS)}) == 2
    assert "lies on the grid of series 1 and series 2: give --key" in capsys.readouterr().err
    key = tmp_path / "key.json"
    words = [str(tmp_path / "src"), "-d", "807", "--modality", "CT", "--key", str(key), "-np", "1"]
    assert main(["convert", "dicom", *words]) == 0
    assert run({"p001_t1_s1": organs(LABELS)}, "--key", str(key)) == 0
    patients = json.loads(key.read_text(encoding="utf-8"))["patients"]
    assert dcmread(tmp_path / "out/p001_t1_s1.dcm").PatientID == patients["p001"][0]["id"]
    for path in (tmp_path / "src").rglob("IM*"):
        path.unlink()
    write_series(scan(), tmp_path / "src", study="c")
    assert run({}, "--key", str(key)) == 2
    assert "p001_t1_s1.nii.gz has no series in" in capsys.readouterr().err


def test_a_segmentation_of_another_run_is_not_left_among_these(run, tmp_path, capsys):
    write_series(scan(), tmp_path / "src")
    assert run({"a": organs(LABELS)}) == run({"a": organs(LABELS)}) == 0
    (tmp_path / "predictions/a.nii.gz").rename(tmp_path / "predictions/b.nii.gz")
    assert run({}) == 2
    assert "out/a.dcm is of none of these predictions: remove it, or name another folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.dcm"]


def test_bad_predictions(run, tmp_path, capsys):
    slices = write_series(scan(), tmp_path / "src")
    assert run({}) == 2
    assert "predictions holds no NIfTI file" in capsys.readouterr().err
    assert run({"a": organs(LABELS)[1:]}) == 2
    assert "a.nii.gz does not lie on the grid of any series in" in capsys.readouterr().err
    uid = dcmread(slices[0]).SeriesInstanceUID
    (tmp_path / "predictions/a.nii.gz").unlink()
    assert run({uid: organs(LABELS)[1:]}) == 2
    assert f"{uid}.nii.gz does not lie on the grid of series 1" in capsys.readouterr().err
    assert run({uid: organs(LABELS)}, labels={"background": 0, "liver": 1}) == 2
    assert "which is no known label" in capsys.readouterr().err
    assert run({}, labels={"background": 0, "liver": [1, 2]}) == 2
    assert "regions cannot be written" in capsys.readouterr().err
    assert run({}, labels={"background": 0}) == 2
    assert "names no organ" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
