"""planners/planning.py: the plans of a tiny CT and a tiny MRI dataset."""

import numpy as np
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from mass_nnunet.cli import main
from mass_nnunet.hyperparameters import complete, scaled_learning_rate
from mass_nnunet.planners.apart import FINGERPRINT
from planned_pair import COMMAND, GROUP, NAMES, NETWORK, plans_of


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
