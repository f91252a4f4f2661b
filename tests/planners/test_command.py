"""mass_nnunet plan, as it is typed: fingerprints, plans, and arrays of a tiny CT and a tiny MRI dataset."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import blosc2
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.preprocessing.normalization.default_normalization_schemes import CTNormalization
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.cli import main
from mass_nnunet.data.intensities import SOFT_TISSUE
from mass_nnunet.hyperparameters import complete, scaled_learning_rate
from mass_nnunet.planners.apart import FINGERPRINT
from mass_nnunet.runtime.lock import Lock
from nnunet_threads import use_threads
from refused_input import messages
from tiny_raw import write_raw_dataset, write_scan

NAMES = ("Dataset801_CTS", "Dataset802_MRS")
GROUP = ["plan", "-d", "801", "802"]
NETWORK = ["--features", "4", "-np", "1"]
COMMAND = [*GROUP, "--spacing", "fit", "--patch-size", "8", "16", "32", *NETWORK]
ARRAYS = "MASSPlans_3d_fullres"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two planned and preprocessed datasets. Tests may plan again, but leave behind what ``COMMAND`` writes."""
    root = tmp_path_factory.mktemp("plan")
    raw = root / "raw"
    write_raw_dataset(raw, NAMES[0], "CT", ["ct0", "ct1", "ct2"], ["ct3", "ct4"], ["ct5"])
    write_raw_dataset(raw, NAMES[1], "MRI", ["mr0", "mr1"], ["mr2"], shape=(6, 30, 26), spacing=(7.0, 1.5, 1.5), seed=1)
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{kind}", str(root / kind))
        use_threads(patch)
        assert main(COMMAND) == 0
        yield root


def plans_of(root: Path) -> list[dict]:
    return [json.loads((root / "preprocessed" / name / "MASSPlans.json").read_text()) for name in NAMES]


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    return {file.name: blosc2.open(urlpath=str(file), mode="r")[:] for file in sorted(folder.glob("*.b2nd"))}


def test_plans_share_everything_that_the_network_hangs_on(root):
    ct, mri = plans_of(root)
    for key in ("patch_size", "spacing", "architecture", "batch_size", "batch_dice"):
        assert ct["configurations"]["3d_fullres"][key] == mri["configurations"]["3d_fullres"][key]
    for plans in (ct, mri):
        assert list(plans["configurations"]) == ["3d_fullres"]
        assert plans["transpose_forward"] == plans["transpose_backward"] == [0, 1, 2]
        assert plans["image_reader_writer"] == "NibabelIOWithReorient"
        configuration = plans["configurations"]["3d_fullres"]
        assert configuration["patch_size"] == [8, 16, 32]
        assert configuration["batch_size"] == 2 and configuration["batch_dice"] is False
    assert ct["configurations"]["3d_fullres"]["normalization_schemes"] == ["CTNormalization"]
    assert mri["configurations"]["3d_fullres"]["normalization_schemes"] == ["ZScoreNormalization"]


def test_mass_in_the_plans(root):
    ct, mri = (plans["mass"] for plans in plans_of(root))
    assert (ct.pop("modality"), mri.pop("modality")) == ("CT", "MRI")
    assert ct == mri
    assert ct == {
        "modalities": [{"name": "CT", "dataset": NAMES[0]}, {"name": "MRI", "dataset": NAMES[1]}],
        "epochs": 1000,
        "iterations": 250,
        "validation_iterations": 50,
        "inference": "fused",
        "hyperparameters": complete({"learning_rate": scaled_learning_rate(4)}).as_plans(),
    }


def test_nnunet_understands_the_plans(root):
    for plans in plans_of(root):
        manager = PlansManager(plans)
        configuration = manager.get_configuration("3d_fullres")
        assert manager.experiment_planner_class.__module__.startswith("nnunetv2.")
        assert configuration.preprocessor_class.__name__ == "DefaultPreprocessor"
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            1,
            5,
        )
        assert network.encoder.stages[0][0].convs[0].conv.out_channels == 4


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
    assert {path.name for path in folder.iterdir()} == expected
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


def test_hidden_labels_have_no_say_in_fingerprint_and_plans(root):
    """Even labels that cannot be read at all."""
    files = [root / "preprocessed" / n / f for n in NAMES for f in ("MASSPlans.json", FINGERPRINT)]
    before = [file.read_bytes() for file in files]
    labels = {label: label.read_bytes() for name in NAMES for label in (root / "raw" / name / "labelsTr").iterdir()}
    try:
        for label in labels:
            label.write_bytes(b"no image")
        assert main([*COMMAND, "--no-preprocess"]) == 0
    finally:
        for label, content in labels.items():
            label.write_bytes(content)
    assert [file.read_bytes() for file in files] == before


def test_a_second_plan_goes_on_where_the_first_was_killed(root):
    folder = root / "preprocessed" / NAMES[0] / f"{ARRAYS}_unlabelled"
    before = arrays_of(folder)
    kept = (folder / "ct3.b2nd").stat().st_mtime_ns
    (folder / "ct4.b2nd").unlink()
    (folder / ".tmp-killed").mkdir()
    (folder / ".tmp-killed" / "ct4.b2nd").touch()
    (folder / "gone.b2nd").touch()  # of a scan that is no longer in imagesUn
    source = root / "raw" / NAMES[1] / "imagesUn" / "mr2_0000.nii.gz"
    replaced = root / "preprocessed" / NAMES[1] / f"{ARRAYS}_unlabelled" / "mr2.b2nd"
    written = replaced.stat().st_mtime_ns
    os.utime(source, ns=(written + 1, written + 1))  # a newer scan
    assert main(COMMAND) == 0
    assert (folder / "ct3.b2nd").stat().st_mtime_ns == kept, "whole: passed over"
    after = arrays_of(folder)
    assert after.keys() == before.keys() and not (folder / ".tmp-killed").exists()
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])
    assert replaced.stat().st_mtime_ns > written


def test_a_change_of_the_schedule_keeps_the_arrays(root, capsys):
    kept = sorted((root / "preprocessed").rglob("*.b2nd"))
    assert main([*COMMAND, "--no-preprocess", "--epochs", "7", "--iterations", "4", "--inference", "atlas"]) == 0
    mass = plans_of(root)[1]["mass"]
    assert [mass[key] for key in ("epochs", "iterations", "validation_iterations")] == [7, 4, 1]
    assert mass["inference"] == "atlas"
    assert sorted((root / "preprocessed").rglob("*.b2nd")) == kept and len(kept) == 16
    printed = capsys.readouterr().out
    assert "7 epochs of 4 steps" in printed and "--no-preprocess" in printed
    assert main([*COMMAND, "--no-preprocess"]) == 0


def test_other_plans_leave_no_stale_arrays(root):
    other = [*COMMAND, "--no-preprocess"]
    other[other.index("16")] = "24"
    assert main(other) == 0
    assert not list((root / "preprocessed").rglob("*.b2nd"))
    assert main(COMMAND) == 0
    assert len(list((root / "preprocessed").rglob("*.b2nd"))) == 16


def test_summary(root, capsys):
    assert main([*COMMAND, "--no-preprocess"]) == 0
    printed = capsys.readouterr().out
    assert "8 x 16 x 32 voxels" in printed
    rows = {line.split()[0]: line for line in printed.splitlines() if line.startswith("Dataset")}
    assert rows[NAMES[0]].split()[-3:] == ["5", "100%", "1"], "scans, share that fits one patch, tiles"
    assert "6 x 2 x 2" in rows[NAMES[0]] and "7 x 1.5 x 1.5" in rows[NAMES[1]]
    assert "first channel" not in printed
    assert "mass_nnunet split -d 801 802" in printed
    assert "nnUNetv2_train 801 3d_fullres 0 -tr MASSTrainer -p MASSPlans" in printed


@pytest.mark.parametrize("option", ["--features", "--batch-size", "--epochs", "--iterations", "-np"])
def test_options_must_be_positive(root, option, capsys):
    assert main(["plan", "-d", "801", "802", option, "0"]) == 2
    assert f"{option} must be at least 1" in capsys.readouterr().err


def test_a_patch_that_the_strides_do_not_divide(root, capsys):
    before = [plans["configurations"] for plans in plans_of(root)]
    assert main([*GROUP, "--spacing", "fit", "--patch-size", "8", "17", "30", "-np", "1"]) == 2
    assert "--patch-size 8 17 30 is not what the network's strides divide: use 8 20 32" in capsys.readouterr().err
    assert [plans["configurations"] for plans in plans_of(root)] == before


def test_the_properties_are_a_plain_pickle(root):
    """As nnU-Net reads them."""
    folder = root / "preprocessed" / NAMES[1] / f"{ARRAYS}_unlabelled"
    properties = pickle.loads((folder / "mr2.pkl").read_bytes())
    assert properties["spacing"] == pytest.approx([7.0, 1.5, 1.5])


def test_native_spacing(root, capsys):
    """6 x 2 x 2 mm and 7 x 1.5 x 1.5 mm, of which the CT has more along z and the MRI along y and x."""
    before = [plans["mass"] for plans in plans_of(root)]
    assert main([*COMMAND, "--no-preprocess", "--spacing", "native"]) == 0
    printed = capsys.readouterr().out
    for plans, mass in zip(plans_of(root), before, strict=True):
        assert plans["configurations"]["3d_fullres"]["spacing"] == [6.0, 1.5, 1.5]
        assert plans["configurations"]["3d_fullres"]["patch_size"] == [8, 16, 32]
        assert plans["mass"] == mass, "scans take several tiles now, and are predicted in the same way"
    assert "  inference  fused" in printed
    assert "warning" not in printed
    assert not list((root / "preprocessed").rglob("*.b2nd")), "arrays of another spacing are stale"
    assert main(COMMAND) == 0


def test_given_spacing(root):
    assert main([*COMMAND, "--no-preprocess", "--spacing", "7.7", "3.6", "3.5"]) == 0
    assert [p["configurations"]["3d_fullres"]["spacing"] for p in plans_of(root)] == [[7.7, 3.6, 3.5]] * 2
    assert main(COMMAND) == 0


def test_native_is_the_default(root):
    without = [word for word in COMMAND if word not in ("--spacing", "fit")]
    assert main([*without, "--no-preprocess"]) == 0
    assert [p["configurations"]["3d_fullres"]["spacing"] for p in plans_of(root)] == [[6.0, 1.5, 1.5]] * 2
    assert main(COMMAND) == 0


def test_a_spacing_that_is_none_is_refused_before_anything_is_read(capsys):
    assert main(["plan", "-d", "801", "802", "--spacing", "5", "-1", "2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_slices_along_different_axes_are_refused(tmp_path, monkeypatch, capsys):
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    use_threads(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0"], shape=(24, 6, 24), spacing=(2.0, 7.0, 2.0))
    assert main(COMMAND) == 2
    error = capsys.readouterr().err
    assert (
        f"stacked along z in 2 of the 3 scans of the group, but along y in 1 of the 1 scans of {NAMES[1]} (mr0)"
        in error
    )
    assert not list((tmp_path / "preprocessed").rglob("MASSPlans.json"))


def test_the_estimate_of_memory_is_always_printed(root, capsys):
    """It grows with the batch; nothing is limited unless the user says so."""
    found = []
    for batch in ("2", "400"):
        assert main([*COMMAND, "--no-preprocess", "--batch-size", batch]) == 0
        (line,) = [text for text in capsys.readouterr().out.splitlines() if text.startswith("  memory ")]
        assert "(an estimate)" in line
        found.append(float(line.split("about ")[1].split(" GB")[0]))
        assert plans_of(root)[0]["configurations"]["3d_fullres"]["batch_size"] == int(batch)
    assert found[1] > found[0] >= 0
    assert main(COMMAND) == 0


def test_gpu_memory_makes_the_patch_and_the_batch_smaller(root, capsys):
    """The default patch of these thick slices is 32 x 256 x 256; no arrays are made for it."""
    plan = [*GROUP, *NETWORK, "--no-preprocess", "--batch-size", "3"]
    configurations = []
    for limit in (["--gpu-memory", "1000"], ["--gpu-memory", "2"], ["--gpu-memory", "1"]):
        assert main([*plan, *limit]) == 0
        printed = capsys.readouterr().out
        assert float(printed.split("memory     about ")[1].split(" GB")[0]) <= float(limit[1])
        ct, mri = (plans["configurations"]["3d_fullres"] for plans in plans_of(root))
        assert ct["patch_size"] == mri["patch_size"] and ct["batch_size"] == mri["batch_size"]
        configurations.append(ct)
    voxels = [np.prod(configuration["patch_size"]) for configuration in configurations]
    assert configurations[0]["patch_size"] == [32, 256, 256] and configurations[0]["batch_size"] == 3
    assert voxels[0] > voxels[1] > voxels[2]
    assert min(configuration["batch_size"] for configuration in configurations) >= 2
    assert main(COMMAND) == 0


def test_gpu_memory_leaves_a_given_patch_and_refuses_what_cannot_fit(root, capsys):
    before = plans_of(root)
    large = [*GROUP, "--patch-size", "32", "256", "256", *NETWORK, "--no-preprocess", "--gpu-memory", "0.5"]
    assert main(large) == 2
    assert "a patch of 32 x 256 x 256 voxels and a batch of 2 take about" in capsys.readouterr().err
    assert plans_of(root) == before
    for value in ("0", "-3", "nan"):
        assert main([*COMMAND, "--gpu-memory", value]) == 2
        assert "--gpu-memory must be more than 0" in capsys.readouterr().err


def test_residual_presets(root, capsys):
    """ResEncM and ResEncL are one network with other limits of memory, which a given patch overrules."""
    plan = [*GROUP, "-np", "1", "--no-preprocess"]
    sizes = {}
    for preset in ("ResEncM", "ResEncL"):
        assert main([*plan, "--preset", preset]) == 0
        assert "ResidualEncoderUNet of" in capsys.readouterr().out
        sizes[preset] = np.prod(plans_of(root)[0]["configurations"]["3d_fullres"]["patch_size"])
    assert sizes["ResEncM"] < sizes["ResEncL"] < 32 * 256 * 256
    assert main([*plan, "--preset", "ResEncM", "--patch-size", "32", "256", "256"]) == 0
    assert plans_of(root)[1]["configurations"]["3d_fullres"]["patch_size"] == [32, 256, 256]
    assert not list((root / "preprocessed").rglob("nnUNetPlans*"))
    assert main(COMMAND) == 0


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Two raw datasets that are not planned yet."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    use_threads(monkeypatch)
    write_raw_dataset(tmp_path / "raw", NAMES[0], "CT", ["ct0", "ct1", "ct2"], ["ct3"])
    write_raw_dataset(tmp_path / "raw", NAMES[1], "MRI", ["mr0", "mr1"], ["mr2"], seed=1)
    return tmp_path / "raw"


def refusal(capsys) -> str:
    """The line by which a plan is refused, which makes no dataset's folder."""
    capsys.readouterr()
    assert main([*COMMAND, "--no-preprocess"]) == 2
    (line,) = messages(capsys.readouterr().err)
    return line


@pytest.mark.parametrize("scan", ["imagesTr/mr1", "imagesUn/mr2"])
def test_a_scan_that_is_not_finite_is_named(raw, capsys, scan):
    file = raw / NAMES[1] / f"{scan}_0000.nii.gz"
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(file))).astype(np.float32)
    values[3:5] = np.nan
    write_scan(file, values, (6.0, 2.0, 2.0))
    assert f"{file} holds values that are not finite (NaN or infinity): repair or remove it" in refusal(capsys)
    assert not list((raw.parent / "preprocessed" / NAMES[1]).glob("*"))


def test_a_scan_that_is_cut_short_is_named(raw, capsys):
    file = raw / NAMES[0] / "imagesUn" / "ct3_0000.nii.gz"
    file.write_bytes(file.read_bytes()[:-100])
    assert f"{file} cannot be read (" in refusal(capsys)
    assert not (raw.parent / "preprocessed" / NAMES[0]).exists()


def test_splits_that_are_older_than_the_dataset(raw, capsys):
    assert main(["split", "-d", "801", "802"]) == 0
    new = raw / NAMES[0] / "imagesUn" / "new_0000.nii.gz"
    new.write_bytes((raw / NAMES[0] / "imagesUn" / "ct3_0000.nii.gz").read_bytes())
    line = refusal(capsys)
    assert f"1 scan of {raw / NAMES[0]} (new) not in fold 0 of" in line and "run `mass_nnunet split` again" in line
    new.unlink()
    (raw / NAMES[0] / "imagesTr" / "ct1_0000.nii.gz").unlink()
    assert "has ct1, not in imagesTr" in refusal(capsys)


def test_a_second_plan_of_a_dataset_is_refused(raw, capsys):
    folder = raw.parent / "preprocessed" / NAMES[1]
    with Lock.take(folder, tidy=True):
        assert (
            f"{folder} belongs to another `mass_nnunet plan` or `annotate-in`: start again when that has ended"
            in refusal(capsys)
        )
    assert not (raw.parent / "preprocessed" / NAMES[0]).exists()
