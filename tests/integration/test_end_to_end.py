"""The whole path with nnU-Net's own commands, as a user types them: killed training, --c, prediction, sharing."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
from nnunetv2.run.run_training import run_training_entry

from faults import Point, arm
from forked_command import QUICK, forked_command
from mass_nnunet.data.files import read_json
from mass_nnunet.labels import LABELS
from tiny_group import CT, MODEL, MRI, command, make_group
from tiny_raw import make_scan

TRAIN = ("nnUNetv2_train", "801", "3d_fullres", "0", "-tr", "MASSTrainer", "-p", "MASSPlans", "-device", "cpu")
MODELS = ("-c", "3d_fullres", "-f", "0", "-tr", "MASSTrainer", "-p", "MASSPlans")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A group whose training was killed after an epoch and continued."""
    root = tmp_path_factory.mktemp("path")
    make_group(root, 3, 2)
    point = Point("an epoch of both models", "rename", rf"{MRI}/.*/checkpoint_latest.pth$")

    def before() -> None:
        arm(root, point, lambda _, main, __: os.killpg(main, signal.SIGKILL), root.parent / "fired")

    killed = {"before": before, "status": -signal.SIGKILL}
    forked_command(root, run_training_entry, *TRAIN[1:], **killed, nnUNet_n_proc_DA="1")
    assert not list((root / "results").rglob("checkpoint_final.pth"))
    command(root, *TRAIN, "--c", nnUNet_n_proc_DA="1")
    return root


def scan(path: Path, channel: str, shape: tuple[int, int, int], orientation: str, seed: int) -> None:
    """A scan with an origin, a spacing and an orientation of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(make_scan(channel, shape, np.random.default_rng(seed))[0])
    image.SetSpacing((1.7, 2.3, 5.5))
    image.SetOrigin((-31.5, 12.25, 107.75))
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))


def test_a_killed_training_goes_on_to_the_end(root):
    for name in (CT, MRI):
        fold = root / "results" / name / MODEL / "fold_0"
        assert (fold / "checkpoint_final.pth").is_file()
        assert (fold / "validation" / "summary.json").is_file()
        for picture in ("progress.png", "mass_terms.png", "mass_registration.png"):
            assert (fold / picture).stat().st_size > 1000


@pytest.mark.parametrize(("dataset", "name", "channel"), [("801", CT, "CT"), ("802", MRI, "MRI")])
def test_predictions_lie_where_the_scans_lie(root, tmp_path, dataset, name, channel):
    sizes = {"small": ((6, 14, 12), "LPS"), "large": ((14, 40, 44), "PIR"), "same": ((8, 24, 24), "RAS")}
    for seed, (case, (shape, orientation)) in enumerate(sizes.items()):
        scan(tmp_path / "in" / f"{case}_0000.nii.gz", channel, shape, orientation, seed)
    words = ("-d", dataset, "-i", f"{tmp_path}/in", "-o", f"{tmp_path}/out", *MODELS, *QUICK)
    forked_command(root, predict_entry_point, *words)
    for case in sizes:
        image = sitk.ReadImage(str(tmp_path / "in" / f"{case}_0000.nii.gz"))
        prediction = sitk.ReadImage(str(tmp_path / "out" / f"{case}.nii.gz"))
        assert prediction.GetSize() == image.GetSize()
        for what in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert np.allclose(getattr(prediction, what)(), getattr(image, what)(), rtol=0, atol=1e-5), what
        assert set(np.unique(sitk.GetArrayFromImage(prediction))) <= set(LABELS.values())


def test_sharing_ensembling_and_evaluating_with_stock_commands(root, tmp_path):
    test, truth = root / "raw" / MRI / "imagesTs", root / "raw" / MRI / "labelsTs"
    folder = root / "results" / MRI / MODEL
    one, two, three = (tmp_path / str(i) for i in range(3))
    where = ("-i", str(test), "-o", str(one))
    command(root, "nnUNetv2_predict", "-d", "802", *where, *MODELS, "--save_probabilities", *QUICK)

    command(root, "nnUNetv2_export_model_to_zip", "-d", "802", "-o", f"{tmp_path}/m.zip", *MODELS)
    elsewhere = {"nnUNet_results": str(tmp_path / "elsewhere")}
    command(root, "nnUNetv2_install_pretrained_model_from_zip", f"{tmp_path}/m.zip", **elsewhere)
    model = tmp_path / "elsewhere" / MRI / MODEL
    words = ("nnUNetv2_predict_from_modelfolder", "-i", str(test), "-o", str(two), "-m", str(model), "-f", "0")
    # It has no way to predict in one process.
    command(root, *words, "--save_probabilities", "-device", "cpu", "-npp", "1", "-nps", "1", **elsewhere)
    first, second = (sitk.GetArrayFromImage(sitk.ReadImage(str(out / "mrtest.nii.gz"))) for out in (one, two))
    assert np.array_equal(first, second)

    command(root, "nnUNetv2_ensemble", "-i", str(one), str(two), "-o", str(three), "-np", "1")
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(three / "mrtest.nii.gz"))), first)
    files = ("-djfile", str(folder / "dataset.json"), "-pfile", str(folder / "plans.json"))
    command(root, "nnUNetv2_evaluate_folder", str(truth), str(one), *files, "-o", f"{tmp_path}/s.json", "-np", "1")
    assert "foreground_mean" in read_json(tmp_path / "s.json", "")


def test_fold_that_does_not_exist_is_one_line_and_no_traceback(root):
    result = forked_command(root, run_training_entry, *TRAIN[1:3], "7", *TRAIN[4:], status=1)
    assert "Traceback" not in result.output
    assert result.output.strip().splitlines()[-1].startswith("error: fold 7 does not exist in ")


def test_without_the_hook_nnunet_names_it(root):
    result = forked_command(root, run_training_entry, *TRAIN[1:], status=1, nnUNet_extTrainer="")
    assert "nnUNet_extTrainer" in result.output.strip().splitlines()[-1]
