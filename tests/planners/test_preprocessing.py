"""planners/preprocessing.py: the arrays that it makes, and damaged label maps."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import blosc2
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.preprocessing.normalization.default_normalization_schemes import CTNormalization
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.cli import main
from mass_nnunet.data.files import write_json
from mass_nnunet.data.intensities import SOFT_TISSUE
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.errors import UserError
from mass_nnunet.planners import preprocessing
from mass_nnunet.planners.preprocessing import check_grids, check_labels, preprocess_outside
from mass_nnunet.training.loaders import outside_folder
from planned_pair import ARRAYS, COMMAND, NAMES, arrays_of, plans_of
from quick_planning import plan_quickly
from refused_input import messages
from tiny_raw import write_raw_dataset, write_scan

PLAN = ["plan", "-d", "801", "802", "--spacing", "fit", "--patch-size", "8", "16", "16", "--features", "4", "-np", "1"]


@pytest.fixture
def raw(tmp_path, monkeypatch):
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    plan_quickly(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0"], seed=1)
    return tmp_path / "raw"


def cut(file):
    file.write_bytes(file.read_bytes()[:-20])


def not_finite(file):
    write_scan(file, np.full((8, 24, 24), np.nan, np.float32), (6.0, 2.0, 2.0))


def of_another_shape(file):
    write_scan(file, np.zeros((8, 24, 23), np.uint8), (6.0, 2.0, 2.0))


def test_sound_labels_pass(raw):
    check_labels(RawDataset.load(801))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "cannot be read ("),
        (not_finite, "holds values that are not finite"),
        (of_another_shape, "has 8 x 24 x 23 voxels, and its scan 8 x 24 x 24: get the label map that belongs"),
    ],
)
def test_a_damaged_label_map_is_named(raw, damage, told):
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    damage(file)
    with pytest.raises(UserError, match=rf"^{file} ") as raised:
        check_labels(RawDataset.load(801))
    assert told in str(raised.value)


def test_the_command_ends_in_the_same_line(raw, capsys):
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    of_another_shape(file)
    capsys.readouterr()
    assert main(PLAN) == 2
    (line,) = messages(capsys.readouterr().err)
    assert f"{file} has 8 x 24 x 23 voxels" in line


def test_a_label_map_that_lies_elsewhere_ends_the_command(raw, capsys):
    """nnU-Net looks at the number of voxels alone."""
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    label = sitk.ReadImage(str(file))
    label.SetOrigin((100.0, 0.0, 0.0))
    sitk.WriteImage(label, str(file))
    capsys.readouterr()
    assert main(PLAN) == 2
    (line,) = messages(capsys.readouterr().err)
    assert f"{file} is not where {raw / NAMES[0] / 'imagesTr' / 'ct1_0000.nii.gz'} is, by 100 mm" in line


def test_a_channel_that_lies_elsewhere_is_named(raw):
    content = json.loads((raw / NAMES[0] / "dataset.json").read_text())
    write_json(raw / NAMES[0] / "dataset.json", content | {"channel_names": {"0": "CT", "1": "PET"}})
    for file in sorted((raw / NAMES[0] / "imagesTr").iterdir()):
        shutil.copyfile(file, file.with_name(file.name.replace("_0000", "_0001")))
    check_grids(RawDataset.load(801))
    write_scan(raw / NAMES[0] / "imagesTr" / "ct1_0001.nii.gz", np.zeros((8, 24, 24), np.int16), (6.0, 2.0, 3.0))
    with pytest.raises(UserError, match=r"ct1_0001.nii.gz is not where .*: get the channel that belongs to this scan"):
        check_grids(RawDataset.load(801))


def give_outside_labels(raw):
    """A scan without annotation, and its labels of another tool: those of ct1, as two files."""
    folder, pairs = raw / NAMES[0], (("imagesTr/ct1_0000", "imagesUn/ctun_0000"), ("labelsTr/ct1", "pseudo/ctun"))
    files = [(folder / f"{old}.nii.gz", folder / f"{new}.nii.gz") for old, new in pairs]
    for old, new in files:
        new.parent.mkdir()
        shutil.copyfile(old, new)
    return [new for _, new in files]


def nearly_whole(file):
    label = sitk.Cast(sitk.ReadImage(str(file)), sitk.sitkFloat32)
    sitk.WriteImage(label - 1e-4 * sitk.Cast(label == 2, sitk.sitkFloat32), str(file))


def test_decimals_that_nnunet_would_cut_off_end_the_command(raw, capsys):
    """2 would become 1, another organ."""
    file = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz"
    label = sitk.ReadImage(str(file))
    sitk.WriteImage(sitk.Cast(label, sitk.sitkFloat32), str(file))
    assert main([*PLAN, "--no-preprocess"]) == 0
    check_grids(RawDataset.load(801))
    nearly_whole(file)
    capsys.readouterr()
    assert main(PLAN) == 2
    (line,) = messages(capsys.readouterr().err)
    assert f"{file} holds the value 1.9999, of which nnU-Net cuts off the decimals" in line
    sitk.WriteImage(sitk.Cast(label, sitk.sitkFloat32) * 1.5, str(file))
    with pytest.raises(UserError, match=r"ct1.nii.gz holds the value \d.5, which is no known label"):
        check_grids(RawDataset.load(801))


def test_labels_of_another_tool_as_nnunet_reads_them(raw):
    """It cuts off decimals, and takes voxels in their stored order where its reader does not turn them."""
    label, (_, file) = raw / NAMES[0] / "labelsTr" / "ct1.nii.gz", give_outside_labels(raw)
    for name in NAMES:
        content = json.loads((raw / name / "dataset.json").read_text())
        write_json(raw / name / "dataset.json", content | {"overwrite_image_reader_writer": "SimpleITKIO"})
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(label)), "RAS"), str(file))
    assert main([*PLAN, "--no-preprocess"]) == 0
    with pytest.raises(UserError, match=r"the axes of .*pseudo/ctun.nii.gz run differently .*: save the label map in"):
        preprocess_outside(RawDataset.load(801))
    shutil.copyfile(label, file)
    nearly_whole(file)
    with pytest.raises(UserError, match=r"pseudo/ctun.nii.gz holds the value 1.9999, of which nnU-Net cuts off"):
        preprocess_outside(RawDataset.load(801))


def test_labels_of_another_tool_are_brought_to_the_grid(raw, tmp_path, capsys):
    _, given = give_outside_labels(raw)
    assert main(PLAN) == 0
    arrays = tmp_path / "preprocessed" / NAMES[0] / "MASSPlans_3d_fullres"
    file = outside_folder(arrays) / "ctun.b2nd"
    found, expected = (blosc2.open(urlpath=str(path), mode="r")[:] for path in (file, arrays / "ct1_seg.b2nd"))
    assert found.dtype == np.int16
    assert np.array_equal(found, np.maximum(expected, 0))
    assert not outside_folder(tmp_path / "preprocessed" / NAMES[1] / "MASSPlans_3d_fullres").exists()

    dataset, before = RawDataset.load(801), file.stat().st_mtime_ns
    preprocess_outside(dataset)
    assert file.stat().st_mtime_ns == before
    shutil.copyfile(raw / NAMES[0] / "labelsTr" / "ct0.nii.gz", given)
    preprocess_outside(dataset)
    assert file.stat().st_mtime_ns > before
    write_scan(given, np.full((8, 24, 24), 9, np.uint8), (6.0, 2.0, 2.0))
    with pytest.raises(UserError, match=r"pseudo/ctun.nii.gz has value 9, which dataset.json does not name"):
        preprocess_outside(dataset)
    of_another_shape(given)
    with pytest.raises(UserError, match=r"pseudo/ctun.nii.gz has 8 x 24 x 23 voxels, and its scan 8 x 24 x 24"):
        preprocess_outside(dataset)
    (given).rename(raw / NAMES[0] / "pseudo" / "ct0.nii.gz")
    capsys.readouterr()
    preprocess_outside(dataset)
    line = f"note: ct0 of {NAMES[0]} are annotated: their labels of another tool are not used"
    assert line in capsys.readouterr().out
    assert arrays_of(outside_folder(arrays)) == {} and not list(outside_folder(arrays).rglob("*.json"))


@pytest.mark.parametrize("step", ["preprocess_dataset", "map_cases"])
def test_a_library_that_cannot_write_names_the_folder_and_the_remedies(raw, capsys, monkeypatch, step):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Error while creating the NDArray")

    monkeypatch.setattr(preprocessing, step, fail)
    capsys.readouterr()
    assert main(PLAN) == 2
    *_, line = messages(capsys.readouterr().err)
    assert f"{NAMES[0]} cannot be filled ('Error while creating the NDArray'): make room on the disk" in line


def test_ct_and_mri_both_have_zero_mean_and_unit_standard_deviation(root):
    mri = arrays_of(root / "preprocessed" / NAMES[1] / ARRAYS)
    for case in ("mr0", "mr1"):
        assert mri[f"{case}.b2nd"].mean() == pytest.approx(0, abs=0.1)
        assert mri[f"{case}.b2nd"].std() == pytest.approx(1, abs=0.1)
    properties = plans_of(root)[0]["foreground_intensity_properties_per_channel"]["0"]
    raw = [sitk.GetArrayFromImage(sitk.ReadImage(f)) for f in (root / "raw" / NAMES[0]).glob("images[TU][rn]/*")]
    normalized = CTNormalization(False, properties).run(np.stack(raw))
    tissue = normalized[np.stack(raw) > SOFT_TISSUE[0]]
    assert len(raw) == 5
    assert tissue.mean() == pytest.approx(0, abs=0.02)
    assert tissue.std() == pytest.approx(1, abs=0.02)


def test_unlabelled_scans_lie_beside_and_are_made_alike(root, tmp_path):
    folder = root / "preprocessed" / NAMES[0] / f"{ARRAYS}_unlabelled"
    expected = {f"{case}{ending}" for case in ("ct3", "ct4") for ending in (".b2nd", "_seg.b2nd", ".pkl")}
    assert {path.name for path in folder.iterdir()} == expected | {"sources"}
    assert {path.name for path in (folder / "sources").iterdir()} == {"ct3.json", "ct4.json"}
    image, label, _, properties = nnUNetDatasetBlosc2(str(folder)).load_case("ct3")
    assert image.shape == label.shape and image.dtype == np.float32
    assert np.max(label[:]) <= 0 and "class_locations" not in properties
    # The same scan, put among the labelled ones, gives the same array.
    manager = PlansManager(plans_of(root)[0])
    configuration = manager.get_configuration("3d_fullres")
    source = root / "raw" / NAMES[0]
    stock, _, _ = configuration.preprocessor_class(verbose=False).run_case(
        [str(source / "imagesUn" / "ct3_0000.nii.gz")],
        str(source / "labelsTr" / "ct0.nii.gz"),
        manager,
        configuration,
        str(source / "dataset.json"),
    )
    np.testing.assert_array_equal(image[:], stock)


def test_stock_preprocessing_gives_the_same_arrays(root):
    folders = [root / "preprocessed" / name / ARRAYS for name in NAMES]
    ours = [arrays_of(folder) for folder in folders]
    assert [len(arrays) for arrays in ours] == [6, 4]
    command = [Path(sys.executable).with_name("nnUNetv2_preprocess"), "-d", "801", "802"]
    subprocess.run([*command, "-plans_name", "MASSPlans", "-c", "3d_fullres", "-np", "1"], check=True)
    for folder, before in zip(folders, ours, strict=True):
        after = arrays_of(folder)
        assert before.keys() == after.keys()
        for name, array in after.items():
            np.testing.assert_array_equal(array, before[name])


def test_a_second_plan_goes_on_where_the_first_was_killed(root):
    folder = root / "preprocessed" / NAMES[0] / f"{ARRAYS}_unlabelled"
    before = arrays_of(folder)
    kept = (folder / "ct3.b2nd").stat().st_mtime_ns
    (folder / "ct4.b2nd").unlink()
    (folder / ".tmp-killed").mkdir()
    (folder / ".tmp-killed" / "ct4.b2nd").touch()
    (folder / "gone.b2nd").touch()  # of a scan that is no longer in imagesUn
    (folder / "sources" / "gone.json").touch()
    earlier = root / "preprocessed" / NAMES[1] / f"{ARRAYS}_unlabelled"
    written = (earlier / "mr2.b2nd").stat().st_mtime_ns
    (earlier / "sources" / "mr2.json").unlink()  # as an earlier version left it, or a killed run
    os.utime(root / "raw" / NAMES[0] / "imagesUn" / "ct3_0000.nii.gz", (2e9, 2e9))  # a copy
    assert main(COMMAND) == 0
    assert (folder / "ct3.b2nd").stat().st_mtime_ns == kept, "whole: passed over"
    assert {path.name for path in (folder / "sources").iterdir()} == {"ct3.json", "ct4.json"}
    after = arrays_of(folder)
    assert after.keys() == before.keys() and not (folder / ".tmp-killed").exists()
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])
    assert (earlier / "mr2.b2nd").stat().st_mtime_ns > written


def older(file: Path, other: Path) -> None:
    """Replace a file by another one that is older, as ``cp -p`` and a backup do."""
    shutil.copyfile(other, file)
    os.utime(file, (1e9, 1e9))


def test_files_that_are_replaced_by_older_ones_are_preprocessed_again(raw, tmp_path):
    """A scan without annotation, labels of another tool, and a label map, which nnU-Net copies to validate by it."""
    folder, ct0 = raw / NAMES[0], raw / NAMES[0] / "imagesTr" / "ct0_0000.nii.gz"
    scan, outside_map = give_outside_labels(raw)
    for file in (folder / "labelsTr").iterdir():
        os.utime(file, (1.5e9, 1.5e9))  # whole seconds, as of an archive
    assert main(PLAN) == 0
    older(scan, ct0)
    older(outside_map, folder / "labelsTr" / "ct0.nii.gz")
    older(folder / "labelsTr" / "ct1.nii.gz", folder / "labelsTr" / "ct0.nii.gz")
    assert main(PLAN) == 0
    preprocessed = tmp_path / "preprocessed" / NAMES[0]
    arrays, unlabelled, outside = (arrays_of(preprocessed / f"{ARRAYS}{end}") for end in ("", "_unlabelled", "_pseudo"))
    np.testing.assert_array_equal(unlabelled["ctun.b2nd"], arrays["ct0.b2nd"])
    np.testing.assert_array_equal(outside["ctun.b2nd"], np.maximum(arrays["ct0_seg.b2nd"], 0))
    copies = [(preprocessed / "gt_segmentations" / f"{case}.nii.gz").read_bytes() for case in ("ct0", "ct1")]
    assert copies[0] == copies[1], "nnU-Net copies no label map that is older than the copy"


def test_the_properties_are_a_plain_pickle(root):
    """As nnU-Net reads them."""
    folder = root / "preprocessed" / NAMES[1] / f"{ARRAYS}_unlabelled"
    properties = pickle.loads((folder / "mr2.pkl").read_bytes())
    assert properties["spacing"] == pytest.approx([7.0, 1.5, 1.5])
