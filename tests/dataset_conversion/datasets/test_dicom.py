import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from dicom_conversion import NAMED, NAMES, convert, images, labels, person, write_labelled
from dicom_export import SECRETS, outlines, write_enhanced, write_series, write_structures
from mass_nnunet.cli import main
from mass_nnunet.data.files import read_json
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.labels import LABELS
from native_trees import AXIS_CODES, BTCV_VALUES, organs, same_content, scan, write
from oblique import tilted


def texts(folder: Path) -> list[bytes]:
    """Contents of all files, unpacked, with their names."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        found.append(
            str(path.relative_to(folder)).encode() + (gzip.decompress(content) if path.suffix == ".gz" else content)
        )
    return found


def test_scans_and_contours_become_a_dataset_as_nifti_files_do(raw, tmp_path):
    write_labelled(tmp_path / "src")
    assert convert(tmp_path / "src", *NAMED) == 0
    dataset = RawDataset.load(807)
    assert dataset.labels == LABELS
    assert sorted(dataset.patients().values()) == ["p001", "p002", "p003"]
    assert all(same_content(label, organs(LABELS)) for label in labels(raw).values())
    assert len(labels(raw)) == 3
    for image in images(raw).values():
        assert sum(same_content(image, scan(number)) for number in range(3)) == 1
    for number, name in enumerate("abc"):
        write(scan(number), tmp_path / f"nifti/{name}.nii.gz")
        write(organs(BTCV_VALUES), tmp_path / f"maps/{name}.nii.gz")
    words = [f"{name}={value}" for name, value in BTCV_VALUES.items()]
    folders = [str(tmp_path / "nifti"), str(tmp_path / "maps")]
    assert main(["convert", "nifti", *folders, "-d", "808", "--modality", "CT", "--labels", *words, "-np", "1"]) == 0
    one, other = (read_json(raw / f"Dataset{number}_CT/dataset.json", "") for number in (807, 808))
    assert one == other
    assert {path.name for path in (raw / "Dataset807_CT").iterdir()} == {
        path.name for path in (raw / "Dataset808_CT").iterdir()
    }


def test_nothing_of_a_patient_is_written_or_shown(raw, tmp_path, capfd):
    write_labelled(tmp_path / "src")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in (tmp_path / "src").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "src"))
    assert convert(tmp_path / "export.zip", *NAMED) == 0
    out, err = capfd.readouterr()
    for text in (out, err, *(content.decode("latin1") for content in texts(raw))):
        assert not [secret for secret in SECRETS if secret in text]
    assert [path.name for path in raw.iterdir()] == ["Dataset807_CT"]


def test_the_key_file_is_written_on_request_and_keeps_its_pseudonyms(raw, tmp_path):
    write_labelled(tmp_path / "src")
    key = tmp_path / "key.json"
    assert convert(tmp_path / "src", "--key", str(key)) == 0
    assert key.stat().st_mode & 0o077 == 0
    known = json.loads(key.read_text(encoding="utf-8"))
    first = {one["id"]: name for name, members in known["patients"].items() for one in members}
    assert set(first) == {"MRN47110", "MRN47111", "MRN47112"}
    assert set(known["scans"]) == {f"{name}_t1_s1" for name in known["patients"]}
    for number in range(3, 6):
        write_series(scan(number), tmp_path / f"src/{number}", study=str(number), **person(number))
    assert main(["convert", "dicom", str(tmp_path / "src"), "-d", "808", "--modality", "CT", "--key", str(key)]) == 0
    later = json.loads(key.read_text(encoding="utf-8"))["patients"]
    second = {one["id"]: name for name, members in later.items() for one in members}
    assert len(set(second.values())) == 6
    assert second.items() >= first.items()


@pytest.mark.parametrize("options", [["--list"], []])
def test_the_list_writes_nothing(options, raw, tmp_path, capsys):
    write_labelled(tmp_path / "src", 1)
    words = ["convert", "dicom", str(tmp_path / "src"), "--modality", "CT", *options]
    assert main(words) == (0 if options else 2)
    assert list(raw.iterdir()) == []
    shown = capsys.readouterr()
    if options:
        assert "1    p001_t1_s1  CT        Abdomen portal venous" in shown.out
        assert "RTSTRUCT  spleen, right kidney, left kidney, liver" in shown.out
    else:
        assert "give -d ID for the dataset, or --list" in shown.err


def test_the_list_of_what_cannot_be_taken(raw, tmp_path, capsys):
    write_series(scan()[:, :, :2], tmp_path / "src", SeriesDescription="Scout")
    assert main(["convert", "dicom", str(tmp_path / "src"), "--modality", "CT", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "not taken: only 2 slices" in shown
    assert "holds no CT scan that can be taken" in shown


@pytest.mark.parametrize("codes", AXIS_CODES[::5])
def test_any_plane_and_direction(codes, raw, tmp_path):
    slices = write_series(sitk.DICOMOrient(scan(), codes), tmp_path / "src/ct")
    label = sitk.DICOMOrient(organs(BTCV_VALUES), codes)
    write_structures(tmp_path / "src/rt", {name: outlines(label, value) for name, value in NAMES.items()}, slices)
    assert convert(tmp_path / "src", *NAMED, "--test-fraction", "0") == 0
    assert same_content(images(raw)["p001_t1_s1"], scan())
    assert same_content(labels(raw)["p001_t1_s1"], organs(LABELS))


def test_oblique_scans_keep_their_slices(raw, tmp_path):
    write_series(tilted(scan(), 40, 40), tmp_path / "src")
    assert convert(tmp_path / "src") == 0
    content = read_json(raw / "Dataset807_CT/dataset.json", "")
    assert content["overwrite_image_reader_writer"] == "NibabelIO"


@pytest.mark.parametrize("echoes", [(), (2.3, 4.6)])
def test_enhanced_files(echoes, raw, tmp_path):
    write_enhanced(scan(), tmp_path / "src/EIM1", modality="MR", echoes=echoes, slopes=(1.0, 0.5))
    options = ["--series", "echo 4.6"] if echoes else []
    assert convert(tmp_path / "src", *options, modality="MR") == 0
    ((_, image),) = images(raw).items()
    expected = sitk.GetArrayFromImage(scan()) + (7 if echoes else 0)
    found = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS"))
    assert np.abs(found - expected).max() <= 1  # stored as whole numbers


def test_a_tilted_gantry_is_straightened_and_so_are_its_labels(raw, tmp_path, capsys):
    image, label = scan(), organs(BTCV_VALUES)
    tilt = image.GetSpacing()[1] / image.GetSpacing()[2]  # one row a slice
    slices = write_series(image, tmp_path / "src/ct", tilt=tilt)
    structures = {}
    for name, value in NAMES.items():
        contours = outlines(label, value)
        structures[name] = [
            points + np.array([0, tilt * (points[0, 2] - image.GetOrigin()[2]), 0]) for points in contours
        ]
    write_structures(tmp_path / "src/rt", structures, slices)
    assert convert(tmp_path / "src", *NAMED, "--test-fraction", "0") == 0
    assert "tilted by 33.7 degrees" in capsys.readouterr().out
    found = sitk.GetArrayFromImage(sitk.DICOMOrient(images(raw)["p001_t1_s1"], "LPS"))
    drawn = sitk.GetArrayFromImage(sitk.DICOMOrient(labels(raw)["p001_t1_s1"], "LPS"))
    voxels, values = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(organs(LABELS))
    assert found.shape == (6, 29, 24)
    for index in range(6):
        assert np.array_equal(found[index, index : index + 24], voxels[index])
        assert np.array_equal(drawn[index, index : index + 24], values[index])


def test_overlapping_organs_and_missing_ones(raw, tmp_path, capsys):
    slices = write_series(scan(), tmp_path / "src/ct")
    label = organs(BTCV_VALUES)
    drawn = {"liver": outlines(label, 6), "spleen": outlines(label, 1), "tumour": outlines(label, 6)[:2], "GTV": []}
    write_structures(tmp_path / "src/rt", drawn, slices)
    assert convert(tmp_path / "src", "--labels", "tumour", "liver", "spleen", "--test-fraction", "0") == 0
    assert "overlap in 162 voxels" in capsys.readouterr().out
    found = sitk.GetArrayFromImage(labels(raw)["p001_t1_s1"])
    assert np.bincount(found.ravel())[1:].tolist() == [128, 2 * 81, 2 * 81]


def test_a_second_call_continues_and_then_finds_the_dataset(raw, tmp_path, capsys):
    write_labelled(tmp_path / "src")
    assert convert(tmp_path / "src", *NAMED) == 0
    assert convert(tmp_path / "src", *NAMED) == 0
    assert "is already there, made of the same files with the same options" in capsys.readouterr().out
    assert convert(tmp_path / "src", *NAMED, "--exclude", "p002_t1_s1") == 2


def test_damaged_headers_are_counted(raw, tmp_path, capsys):
    path = write_series(scan(), tmp_path / "src")[0]
    (tmp_path / "src/x").write_bytes(path.read_bytes()[:300])
    (tmp_path / "src/y").write_text("no DICOM file")
    assert convert(tmp_path / "src") == 0
    out = capsys.readouterr().out
    assert "1 files are no DICOM images or labels" in out
    assert "1 DICOM files have damaged headers, and are not used" in out
