"""Real short-axis hearts: the nearest anatomical axes of oblique scans differ between patients, their slices do not."""

import shutil
from itertools import combinations
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO, NibabelIOWithReorient
from scipy.ndimage import affine_transform

from mass_nnunet.annotation.description import describe
from mass_nnunet.cli import main
from mass_nnunet.data.axes import through_plane_axis, unlike_axes
from mass_nnunet.data.files import read_json
from mass_nnunet.data.pose import Pose, directions_of, usual_pose
from mass_nnunet.data.raw import TRAINING, RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.quality.references import files_of, lattice_of_all, read_references
from native_trees import SHARED_DATA
from quick_planning import plan_quickly

pytestmark = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")

LABELS = ["myocardium=1", "left_ventricle=2", "right_ventricle=3"]
HEART_DATA = SHARED_DATA / "cardiac_mr"
HEARTS = {"LGE": ["01", "02", "07"], "bSSFP": ["11", "12", "16"]}  # slices along x, x, y in each of the two


def make_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    """Both sequences as nnU-Net raw datasets 811 and 812."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    plan_quickly(monkeypatch)
    for number, (sequence, patients) in enumerate(HEARTS.items(), 811):
        for kind in ("image", "label"):
            (tmp_path / sequence / kind).mkdir(parents=True)
            for patient in patients:
                source = HEART_DATA / sequence / f"{kind}_{patient}.nii.gz"
                shutil.copy(source, tmp_path / sequence / kind / f"{sequence}_{patient}.nii.gz")
        folders = [str(tmp_path / sequence / kind) for kind in ("image", "label")]
        options = ["-d", str(number), "--name", sequence, "--modality", "MR", "--test-fraction", "0", "-np", "1"]
        assert main(["convert", "nifti", *folders, *options, "--labels", *LABELS, *words]) == 0
    return tmp_path


def heart_scans(sequence: str) -> list[Path]:
    return sorted((HEART_DATA / sequence).glob("image_*.nii.gz"))


def test_upright_check_names_the_scans_and_plan_refuses_the_group(tmp_path, monkeypatch, capsys):
    root = make_datasets(tmp_path, monkeypatch, "--pose", "upright")
    assert main(["check", "-d", "811", "812", "-np", "1"]) == 0
    printed = capsys.readouterr().out
    warned = {line.split()[1] for line in printed.splitlines() if "its slices are stacked along y, those of" in line}
    assert warned == {"LGE_07", "bSSFP_16"}
    (finding,) = read_json(root / "raw" / "Dataset811_LGE" / "check.json", "")["LGE_07"]["findings"]
    assert finding["level"] == "warning"
    assert main(["plan", "-d", "811", "812", "--no-preprocess", "-np", "1"]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert (
        "stacked along x in 4 of the 6 scans of the group, but along y in 1 of the 3 scans of Dataset811_LGE" in error
    )
    assert "(LGE_07) and along y in 1 of the 3 scans of Dataset812_bSSFP (bSSFP_16)" in error


def test_slices_are_the_first_axis_and_the_group_is_planned(tmp_path, monkeypatch, capsys):
    """The two sequences are of different patients."""
    root = make_datasets(tmp_path, monkeypatch)
    for name in ("Dataset811_LGE", "Dataset812_bSSFP"):
        assert read_json(root / "raw" / name / "dataset.json", "")["overwrite_image_reader_writer"] == "NibabelIO"
    capsys.readouterr()
    assert main(["check", "-d", "811", "812", "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert "stacked along" not in printed and "stored in another order" not in printed
    assert main(["plan", "-d", "811", "812", "--spacing", "native", "--no-preprocess", "-np", "1"]) == 0
    plans = read_json(root / "preprocessed" / "Dataset811_LGE" / "MASSPlans.json", "")
    assert plans["image_reader_writer"] == "NibabelIO"
    assert plans["configurations"]["3d_fullres"]["spacing"] == pytest.approx([5, 1.75, 1.75], abs=0.01)


@pytest.mark.parametrize("sequence", HEARTS)
def test_all_scans_are_turned_alike_and_are_stored_so_already(sequence):
    """Users predict scans as they have them: those of this dataset are in the pose of the converted ones."""
    assert usual_pose(heart_scans(sequence)) is Pose.SLICES
    poses = []
    for path in heart_scans(sequence):
        image = read_volume(path)
        turned = sitk.DICOMOrient(image, Pose.SLICES.orientation(image))
        assert np.array_equal(sitk.GetArrayFromImage(turned), sitk.GetArrayFromImage(image))
        assert through_plane_axis(turned.GetSpacing()[::-1]) == 0
        stored = sitk.DICOMOrient(image, "RAS")  # another storage gives the same pose
        again = sitk.DICOMOrient(stored, Pose.SLICES.orientation(stored))
        assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image))
        poses.append(directions_of(turned))
    assert len(poses) == 30
    assert not any(unlike_axes(poses))
    assert len({np.sign(np.linalg.det(pose)) for pose in poses}) == 1


@pytest.mark.parametrize("sequence", HEARTS)
def test_a_prediction_has_the_geometry_and_the_voxel_order_of_the_users_file(sequence, tmp_path):
    """With true labels as the prediction."""
    for path in heart_scans(sequence):
        label = nibabel.load(path.with_name(path.name.replace("image", "label")))
        truth, _ = NibabelIO().read_seg(label.get_filename())
        _, properties = NibabelIO().read_images([str(path)])
        NibabelIO().write_seg(truth[0].astype(np.uint8), str(tmp_path / "out.nii.gz"), properties)
        written = nibabel.load(tmp_path / "out.nii.gz")
        assert np.array_equal(written.affine, nibabel.load(path).affine)
        assert np.array_equal(np.asarray(written.dataobj), np.asarray(label.dataobj))


def centred(values: np.ndarray, spacing: list[float]) -> np.ndarray:
    """Label map (Z, Y, X) on a grid of 5 x 3.5 x 3.5 mm around the centre of the heart."""
    shape, step = np.array([36, 48, 48]), np.array([5.0, 3.5, 3.5]) / spacing
    offset = np.argwhere(values).mean(0) - step * (shape - 1) / 2
    return affine_transform(values.astype(np.uint8), step, offset, output_shape=tuple(shape), order=0)


def likeness(maps: list[np.ndarray]) -> float:
    """Mean Dice of the three structures over all pairs of label maps."""
    values = []
    for first, second in combinations(maps, 2):
        for structure in (1, 2, 3):
            one, other = first == structure, second == structure
            values.append(2 * (one & other).sum() / (one.sum() + other.sum()))
    return float(np.mean(values))


def test_hearts_of_both_sequences_look_alike():
    """All 30 patients: 0.44 upright, 0.60 in their slices. Every third one here, from each sequence in turn."""
    maps: dict[Pose, list[np.ndarray]] = {pose: [] for pose in Pose}
    for number, path in enumerate(sorted((HEART_DATA / "LGE").glob("label_*.nii.gz"))[::3]):
        file = str(path if number % 2 else HEART_DATA / "bSSFP" / path.name)
        for pose, reader in ((Pose.UPRIGHT, NibabelIOWithReorient()), (Pose.SLICES, NibabelIO())):
            values, properties = reader.read_seg(file)
            maps[pose].append(centred(values[0], properties["spacing"]))
    upright, slices = (likeness(maps[pose]) for pose in (Pose.UPRIGHT, Pose.SLICES))
    assert slices > 0.5
    assert slices > upright + 0.1


@pytest.mark.parametrize("pose", ["slices", "upright"])
def test_quality_and_suggest_compare_slices_whatever_the_reader(tmp_path, monkeypatch, pose):
    make_datasets(tmp_path, monkeypatch, "--pose", pose)
    for number in (811, 812):
        dataset = RawDataset.load(number)
        files = files_of(dataset, dataset.cases(TRAINING))
        found, _ = read_references(files, dataset)
        assert lattice_of_all(found).pose is Pose.SLICES
        assert all(one.scan.size[0] < min(one.scan.size[1:]) for one in found.values())
        for image, _ in files.values():
            described = describe(image, is_ct=False, pose=Pose.SLICES)
            assert described.spacing[0] == max(described.spacing)
