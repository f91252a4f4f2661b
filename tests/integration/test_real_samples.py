"""The real samples of CHAOS and TotalSegmentator, through the command line."""

import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json, write_json
from mass_nnunet.data.volume import grid_distance, read_volume
from mass_nnunet.dataset_conversion.readers.dicom_stack import pair_by_name, read_labelled_stack
from mass_nnunet.labels import LABELS
from native_trees import SHARED_DATA, STRUCTURES

pytestmark = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")


@pytest.fixture(autouse=True)
def raw(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    return tmp_path / "raw"


def test_the_liver_of_the_ct_is_where_its_hounsfield_units_are(raw):
    source = SHARED_DATA / "chaos_ct_native"
    assert main(["convert", "chaos", str(source), "--ct-dataset-id", "803", "-np", "1"]) == 0
    image = read_volume(raw / "Dataset803_CHAOSCT/imagesUn/chaos_ct_01_0000.nii.gz")
    case = source / "Train_Sets/CT/1"
    pairs = pair_by_name(list(case.glob("DICOM_anon/*.dcm")), list(case.glob("Ground/*.png")))
    _, liver = read_labelled_stack(pairs, lambda plane, _: (plane > 0).astype(np.uint8))
    liver = sitk.DICOMOrient(liver, "RAS")
    assert grid_distance(image, liver) < 1e-3
    inside = sitk.GetArrayFromImage(image)[sitk.GetArrayFromImage(liver) == 1]
    assert np.std(inside) == pytest.approx(34.1, abs=0.1)  # 248 if slices and planes are paired by position
    assert read_json(raw / "Dataset803_CHAOSCT/check.json", "")["chaos_ct_01"]["findings"] == []


def test_the_ct_through_convert_dicom_and_its_liver_through_to_dicom_and_back(tmp_path, raw):
    """Dice 1, after dcmqi's reading and after ours."""
    dcmqi = pytest.importorskip("dcmqi")
    pytest.importorskip("highdicom")
    case = SHARED_DATA / "chaos_ct_native" / "Train_Sets" / "CT" / "1"
    slices = str(case / "DICOM_anon")
    options = ["--modality", "CT", "--test-fraction", "0", "-np", "1"]
    assert main(["convert", "dicom", slices, "-d", "805", *options]) == 0
    (scan,) = raw.glob("Dataset805_*/imagesUn/*_0000.nii.gz")
    pairs = pair_by_name(list(case.glob("DICOM_anon/*.dcm")), list(case.glob("Ground/*.png")))
    given, liver = read_labelled_stack(pairs, lambda plane, _: (plane > 0).astype(np.uint8))
    image, given, liver = read_volume(scan), sitk.DICOMOrient(given, "RAS"), sitk.DICOMOrient(liver, "RAS")
    assert grid_distance(image, liver) < 1e-3
    assert np.array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(given))

    predictions, segmentations = tmp_path / "predictions", tmp_path / "segmentations"
    predictions.mkdir()
    sitk.WriteImage(liver, str(predictions / scan.name.replace("_0000", "")))
    write_json(predictions / "dataset.json", {"labels": {"background": 0, "liver": 1}})
    assert main(["to-dicom", str(predictions), "--series", slices, "-o", str(segmentations)]) == 0
    (segmentation,) = segmentations.iterdir()
    program = Path(dcmqi.__file__).parent / "bin" / "segimage2itkimage"
    (tmp_path / "dcmqi").mkdir()
    words = ["--inputDICOM", str(segmentation), "--outputDirectory", str(tmp_path / "dcmqi"), "--outputType", "nii"]
    subprocess.run([str(program), *words], check=True, capture_output=True)
    (theirs,) = (tmp_path / "dcmqi").glob("*.nii.gz")
    # dcmqi writes the slices that have a segment.
    back = sitk.Resample(sitk.ReadImage(str(theirs)), liver, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayViewFromImage(back) > 0, sitk.GetArrayViewFromImage(liver) > 0)
    words = [slices, str(segmentations), "-d", "806", "--labels", "liver", *options]
    assert main(["convert", "dicom", *words]) == 0
    (ours,) = raw.glob("Dataset806_*/labelsTr/*.nii.gz")
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(ours)), sitk.GetArrayFromImage(liver))


def test_the_mr_slice_keeps_its_four_organs(tmp_path, raw):
    sample, case = SHARED_DATA / "chaos_mr_slice", tmp_path / "CHAOS/Train_Sets/MR/1/T1DUAL"
    shutil.copytree(sample / "DICOM_anon", case / "DICOM_anon/InPhase")
    shutil.copytree(sample / "Ground", case / "Ground")
    options = ["-d", "802", "--sequences", "T1IN", "--test-fraction", "0", "-np", "1"]
    assert main(["convert", "chaos", str(tmp_path / "CHAOS"), *options]) == 0
    # read_volume refuses a single slice.
    image = sitk.ReadImage(str(raw / "Dataset802_CHAOS/imagesTr/chaos_01_T1IN_0000.nii.gz"))
    label = sitk.ReadImage(str(raw / "Dataset802_CHAOS/labelsTr/chaos_01_T1IN.nii.gz"))
    assert image.GetSize() == label.GetSize() == (256, 256, 1)
    assert image.GetSpacing() == pytest.approx((1.89453125, 1.89453125, 5.5))
    # RAS: the first column is the patient's left, the first row the back.
    plane = sitk.GetArrayFromImage(sitk.ReadImage(str(next((sample / "Ground").glob("*.png")))))[::-1, ::-1]
    grays = np.array(
        [{0: "background", 63: "liver", 126: "right_kidney", 189: "left_kidney"}.get(v) for v in range(190)]
    )
    expected = np.array([LABELS.get(name, 0) for name in grays] + [0] * 62 + [LABELS["spleen"]])[plane]
    assert np.array_equal(sitk.GetArrayFromImage(label)[0], expected)


@pytest.mark.parametrize(("channel", "sample"), [("ct", "example_ct"), ("mri", "example_mr_sm")])
def test_masks_of_totalsegmentator_stay_where_they_are(channel, sample, tmp_path, raw):
    """A scan and what TotalSegmentator found in it, laid out as its releases are; both grids are read by nibabel."""
    values = {"liver": 1, "right_kidney": 2, "left_kidney": 3, "spleen": 4}
    subject, samples = tmp_path / "release" / "s0001", SHARED_DATA / "totalsegmentator"
    (subject / "segmentations").mkdir(parents=True)
    shutil.copy(samples / f"{sample}.nii.gz", subject / f"{channel}.nii.gz")
    found = nibabel.load(samples / f"{sample}_organs.nii.gz")
    for organ, structure in STRUCTURES.items():
        mask = (np.asarray(found.dataobj) == values[organ]).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, found.affine), subject / "segmentations" / f"{structure}.nii.gz")
    options = ["-d", "807", "--test-fraction", "0", "-np", "1"]
    assert main(["convert", "totalsegmentator", str(tmp_path / "release"), *options]) == 0
    (folder,) = raw.glob("Dataset807_*")
    assert read_json(folder / "dataset.json", "")["channel_names"] == {"0": channel.upper()}
    for part, suffix in (("imagesTr", ""), ("labelsTr", "_organs")):
        (written,) = (folder / part).iterdir()
        ours, theirs = (
            nibabel.as_closest_canonical(nibabel.load(path)) for path in (written, samples / f"{sample}{suffix}.nii.gz")
        )
        assert np.allclose(ours.affine, theirs.affine, atol=1e-4)
        given = np.asarray(theirs.dataobj)
        expected = np.array([0, *map(LABELS.get, values)])[given] if suffix else given
        assert np.array_equal(np.asarray(ours.dataobj), expected)
    places = (np.argwhere(expected == LABELS[f"{side}_kidney"]).mean(0) for side in ("right", "left"))
    right, left = (ours.affine[0] @ [*place, 1] for place in places)
    assert right > 0 > left  # in mm to the patient's right
