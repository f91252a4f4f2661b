"""The whole check on converted, foreign and damaged datasets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.cli import main
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.dataset_conversion.checks.command import case_files, inspect
from nnunet_threads import use_threads
from refused_input import AS_ANYONE, can_run_apart, messages
from tiny_raw import write_raw_dataset, write_scan

SHAPE, SPACING = (16, 24, 24), (15.0, 15.0, 15.0)


@pytest.fixture(autouse=True)
def dataset(tmp_path, monkeypatch) -> Path:
    """Four training scans, an unlabelled and a test scan of organs of lifelike volumes."""
    monkeypatch.setenv("nnUNet_raw", str(tmp_path))
    use_threads(monkeypatch)
    cases = [f"a{i}" for i in range(4)]
    return write_raw_dataset(tmp_path, "Dataset801_A", "CT", cases, ["un"], ["ts"], shape=SHAPE, spacing=SPACING)


def check(capsys, *ids: int) -> tuple[int, str, list[str]]:
    """Exit status, what is printed, and the lines of errors."""
    status = main(["check", "-d", *map(str, ids or (801,)), "-np", "1"])
    printed = capsys.readouterr()
    return status, printed.out, [line for line in printed.err.splitlines() if "mass_nnunet check: error: " in line]


def record(dataset: Path) -> dict:
    return json.loads((dataset / "check.json").read_text())


def only_error(capsys, text: str, *ids: int) -> None:
    status, printed, (error,) = check(capsys, *ids)
    assert status == 2
    assert text in error
    assert "training" in printed  # the table is there all the same


def test_a_sound_dataset(dataset, capsys):
    status, printed, errors = check(capsys)
    assert (status, errors) == (0, [])
    lines = printed.splitlines()
    assert lines[0].split()[:4] == ["scans", "patients", "errors", "warnings"]
    assert [line.split()[:5] for line in lines[1:]] == [
        *(["training", "4", "4", "0", "0"], ["test", "1", "1", "0", "0"], ["unlabelled", "1", "1", "0", "0"])
    ]
    found = record(dataset)
    assert set(found) == {"a0", "a1", "a2", "a3", "un", "ts"}
    assert found["ts"]["part"] == "test"
    assert found["a0"]["measures"]["organs"]["liver"]["volume_ml"] > 500
    assert found["un"]["measures"]["organs"] is None
    assert (dataset / "overview.png").stat().st_size > 10_000


def test_damaged_cases_are_all_told(dataset, capsys):
    path = dataset / "imagesTr/a1_0000.nii.gz"
    path.write_bytes(path.read_bytes()[:-100])
    label = nibabel.load(dataset / "labelsTr/a2.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.asarray(label.dataobj) * 3, label.affine), dataset / "labelsTr/a2.nii.gz")
    label = sitk.ReadImage(str(dataset / "labelsTr/a3.nii.gz"))
    label.SetOrigin((50.0, 0.0, 0.0))
    sitk.WriteImage(label, str(dataset / "labelsTr/a3.nii.gz"))
    image = sitk.ReadImage(str(dataset / "imagesUn/un_0000.nii.gz"))
    sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32) * float("nan"), str(dataset / "imagesUn/un_0000.nii.gz"))
    status, printed, errors = check(capsys)
    assert status == 2
    assert [line.split()[3] for line in errors] == ["a1", "a2", "a3", "un"]
    for line, text in zip(
        errors, ("a1_0000.nii.gz cannot be read", "holds the value", "is not on the grid of", "not finite"), strict=True
    ):
        assert text in line
    assert record(dataset)["a1"]["measures"] is None
    assert "a1 " not in printed  # once is enough


def test_kidneys_that_changed_places(dataset, capsys):
    label = sitk.ReadImage(str(dataset / "labelsTr/a2.nii.gz"))
    sitk.WriteImage(sitk.ChangeLabel(label, {2: 3, 3: 2}), str(dataset / "labelsTr/a2.nii.gz"))
    only_error(capsys, "labelsTr/a2.nii.gz): the right kidney is not to the right of the left kidney")


def test_leaks(dataset, capsys):
    (dataset / "patients.json").write_text(json.dumps({case: case[:1] for case in record_cases(dataset)}))
    shutil.copy(dataset / "imagesTr/a0_0000.nii.gz", dataset / "imagesTs/ts_0000.nii.gz")
    status, _, errors = check(capsys)
    assert status == 2
    assert "ts" in errors[0] and "is the same image as" in errors[0] and "one to train and one to test on" in errors[0]


def record_cases(dataset: Path) -> list[str]:
    return sorted(path.name.removesuffix("_0000.nii.gz") for path in dataset.glob("images*/*.nii.gz"))


def test_datasets_of_a_group_are_compared(dataset, tmp_path, capsys):
    other = write_raw_dataset(tmp_path, "Dataset802_B", "CT", ["a0", "b1"], seed=5, shape=SHAPE, spacing=SPACING)
    assert check(capsys, 801, 802)[0] == 0  # a0 is another person there: no patients.json says otherwise
    shutil.copy(dataset / "imagesTs/ts_0000.nii.gz", other / "imagesTr/b1_0000.nii.gz")
    only_error(capsys, "is the same image as", 801, 802)


def test_a_label_along_other_axes_is_warned_of(dataset, capsys):
    for part, name in (("imagesTr", "a0_0000"), ("labelsTr", "a0")):
        image = sitk.ReadImage(str(dataset / part / f"{name}.nii.gz"))
        if part == "labelsTr":
            sitk.WriteImage(sitk.DICOMOrient(image, "RPS"), str(dataset / part / f"{name}.nii.gz"))
    status, printed, _ = check(capsys)
    assert status == 0
    assert "warning: a0 " in printed
    assert "the axes of scan and label run differently" in printed


@pytest.mark.parametrize(("reader", "warned"), [("NibabelIO", True), ("NibabelIOWithReorient", False)])
def test_scans_stored_along_other_axes_are_warned_of_unless_the_reader_turns_them(dataset, reader, warned, capsys):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(content | {"overwrite_image_reader_writer": reader}))
    for part, name in (("imagesTr", "a0_0000"), ("labelsTr", "a0")):
        image = sitk.ReadImage(str(dataset / part / f"{name}.nii.gz"))
        sitk.WriteImage(sitk.DICOMOrient(image, "RPS"), str(dataset / part / f"{name}.nii.gz"))
    status, printed, _ = check(capsys)
    assert status == 0
    assert ("warning: a0 " in printed and "its axes are stored in another order or direction" in printed) is warned


def test_two_channels_are_on_one_grid_and_finite(dataset, tmp_path, capsys):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(content | {"channel_names": {"0": "CT", "1": "PET"}}))
    for path in sorted(dataset.glob("images*/*_0000.nii.gz")):
        shutil.copy(path, path.with_name(path.name.replace("_0000", "_0001")))
    assert check(capsys)[0] == 0
    write_scan(dataset / "imagesTr/a1_0001.nii.gz", np.full(SHAPE, np.inf, np.float32), SPACING)
    only_error(capsys, "a1_0001.nii.gz holds values that are not finite")
    write_scan(dataset / "imagesTr/a1_0001.nii.gz", np.zeros((3, 3, 3), np.float32), SPACING)
    only_error(capsys, "a1_0001.nii.gz (3 x 3 x 3 voxels")


def test_what_nnunet_itself_refuses(dataset, capsys):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(content | {"numTraining": 7}))
    only_error(
        capsys, "does not pass nnU-Net's own check (Did not find the expected number of training cases (7). Found 4"
    )


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"background": 0, "liver": 2}, "without gaps"),
        ({"background": 0, "liver": [1, 2]}, "has the regions_class_order None: give a list with one value for each"),
        ({"background": [0], "liver": 1}, "which is of another form"),
        ({"liver": 0}, "give background 0"),
        ({"background": 0, "liver": 1, "ignore": 9}, "label 'ignore' with the value 9: give it 2"),
    ],
)
def test_labels_that_are_not_supported(dataset, capsys, labels, text):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(content | {"labels": labels}))
    status, _, (error,) = check(capsys)
    assert status == 2
    assert text in error


def test_options(capsys):
    assert main(["check", "-d", "801", "-np", "0"]) == 2
    assert main(["check", "-d", "809"]) == 2
    assert "there is no dataset 809" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_does_not_lose_the_findings(dataset, capsys):
    (dataset / "check.json").mkdir()
    label = sitk.ReadImage(str(dataset / "labelsTr/a2.nii.gz"))
    sitk.WriteImage(sitk.ChangeLabel(label, {2: 3, 3: 2}), str(dataset / "labelsTr/a2.nii.gz"))
    status, printed, (finding, unwritten) = check(capsys)
    assert status == 2
    assert "training" in printed
    assert "the right kidney is not to the right" in finding
    assert f"{dataset}: the report was not written (" in unwritten


@pytest.mark.skipif(not can_run_apart(), reason="root cannot give up its right to ignore permissions here")
def test_a_read_only_dataset_is_checked_all_the_same(dataset):
    dataset.chmod(0o500)
    dropped = AS_ANYONE if os.geteuid() == 0 else ()
    command = [*dropped, sys.executable, "-m", "mass_nnunet.cli", "check", "-d", "801", "-np", "1"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines()[0].split()[:4] == ["scans", "patients", "errors", "warnings"]
    (line,) = messages(done.stderr)
    assert f"{dataset}: the report was not written (Permission denied), the findings are above" in line
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "value", "level", "text"),
    [
        ("labelsTs/ts", 2.9999, "warning", "such as 2.9999: they are rounded"),
        ("labelsTr/a0", 2.9999999993, "warning", "such as 2.9999999993: they are rounded"),  # 3 in float32
        ("labelsTr/a0", 2.9999, "error", "2.9999, of which nnU-Net cuts off the decimals: write whole numbers"),
        ("labelsTr/a0", 2.5, "error", "holds the value 2.5, which is no known label"),
    ],
)
def test_labels_close_to_whole_numbers(dataset, file, value, level, text):
    label = nibabel.load(dataset / f"{file}.nii.gz")
    values = np.asarray(label.dataobj).astype(float)
    image = nibabel.Nifti1Image(np.where(values == 3, value, values), label.affine)
    nibabel.save(image, dataset / f"{file}.nii.gz")
    raw = RawDataset.load(801)
    (files,) = (files for files in case_files(raw) if files.case.name == file.rpartition("/")[2])
    case, _ = inspect(files, labels=raw.labels, channels=("CT",), stored=False)
    assert [found.level.value for found in case.findings if text in found.text] == [level]


def test_two_dimensional_datasets_are_refused(dataset, capsys):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(content | {"file_ending": ".png"}))
    status, _, (error,) = check(capsys)
    assert status == 2 and "3D only" in error


def with_labels(file: Path, change) -> None:
    """Change the values of a label map."""
    image = sitk.ReadImage(str(file))
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    changed.CopyInformation(image)
    sitk.WriteImage(changed, str(file))


def test_slices_that_nobody_annotated_are_found_and_can_be_ignored(dataset, capsys):
    """The upper half of a scan has no label; where it is ignored there is no such finding, and no blunt end."""
    file = dataset / "labelsTr" / "a1.nii.gz"
    with_labels(file, lambda values: np.where(np.arange(len(values))[:, None, None] < 9, values, 0))
    status, printed, _ = check(capsys)
    assert status == 0
    assert "a1" in printed and "0 slices at one end and 7 at the other have no label where an organ ends" in printed
    assert record(dataset)["a1"]["measures"]["unannotated"] == [0, 7]
    assert "unannotated" not in record(dataset)["a0"]["measures"]

    assert main(["relabel", "-d", "801", "--ignore-ends", "--to", "802", "-np", "1"]) == 0
    status, printed, errors = check(capsys, 802)
    assert (status, errors) == (0, [])
    assert "bluntly" not in printed
    new = dataset.parent / "Dataset802_A-relabelled"
    assert json.loads((new / "dataset.json").read_text())["labels"]["ignore"] == 5
    before, after = (sitk.GetArrayFromImage(sitk.ReadImage(str(f / "labelsTr" / "a1.nii.gz"))) for f in (dataset, new))
    assert (after[9:] == 5).all()
    assert np.array_equal(after[:9], before[:9])


def test_what_was_not_annotated_is_not_missed(dataset, capsys):
    with_labels(dataset / "labelsTr" / "a1.nii.gz", lambda values: np.where(values == 4, values, 0))
    assert "a1" in check(capsys)[1] and record(dataset)["a1"]["findings"]
    (dataset / "annotated.json").write_text(json.dumps({"a1": ["liver"]}))
    assert check(capsys)[0] == 0
    assert not record(dataset)["a1"]["findings"]
    (dataset / "annotated.json").write_text(json.dumps({"un": ["liver"]}))
    assert "annotated.json names un, which has no label map" in check(capsys)[2][0]
