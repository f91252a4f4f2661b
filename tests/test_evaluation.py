"""Measures against closed forms, MONAI and google-deepmind/surface-distance; folders; the command."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import surface_distance
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance
from scipy.ndimage import gaussian_filter

from mass_nnunet.cli import main
from mass_nnunet.dataset_conversion.dicom_stack import pair_by_name, read_labelled_stack
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation import dice, evaluate_case, evaluate_folder, summarize, surface_distances
from mass_nnunet.organs import LABELS
from mass_nnunet.volume import write_volume
from native_trees import SHARED_DATA

SPACING = (3.0, 1.5, 0.8)


def blob(seed, shape=(16, 32, 32)):
    """A mask that does not touch the border: there MONAI sees a surface, and we do not."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return np.pad((smooth > np.percentile(smooth, 88))[1:-1, 1:-1, 1:-1], 1)


def box(start, stop, shape=(12, 20, 24)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def one_hot(mask):
    return torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))


def write(path, array, spacing=SPACING, origin=(0.0, 0.0, 0.0)):
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def folders(tmp_path):
    """Two cases: one predicted well, one where the spleen is not found and the truth has no liver."""
    predictions, truth = tmp_path / "predictions", tmp_path / "Dataset1_X" / "labelsTs"
    first = box((2, 2, 2), (6, 8, 8)) + 4 * box((6, 10, 10), (10, 18, 20))
    write(truth / "a.nii.gz", first)
    write(predictions / "a.nii.gz", first)
    write(truth / "b.nii.gz", 1 * box((2, 2, 2), (6, 8, 8)))
    write(predictions / "b.nii.gz", 4 * box((2, 2, 2), (4, 4, 4)))
    content = json.dumps({"labels": LABELS, "file_ending": ".nii.gz"})
    (truth.parent / "dataset.json").write_text(content)
    return predictions, truth


def test_dice_of_boxes_and_of_nothing():
    a, b = box((2, 2, 2), (6, 8, 8)), box((4, 2, 2), (8, 8, 8))
    assert dice(a, b) == pytest.approx(0.5)
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert math.isnan(dice(a & ~a, a & ~a))


@pytest.mark.parametrize("seed", range(3))
def test_dice_and_distances_are_monais(seed):
    a, b = blob(seed), blob(seed) | blob(seed + 10)
    hd, hd95, assd = surface_distances(a, b, SPACING)
    assert dice(a, b) == pytest.approx(compute_dice(one_hot(a), one_hot(b), include_background=False).item())
    options = {"spacing": SPACING}
    assert hd == pytest.approx(compute_hausdorff_distance(one_hot(a), one_hot(b), **options).item(), rel=1e-5)
    expected = compute_hausdorff_distance(one_hot(a), one_hot(b), percentile=95, **options).item()
    assert hd95 == pytest.approx(expected, rel=1e-5)
    expected = compute_average_surface_distance(one_hot(a), one_hot(b), symmetric=True, **options).item()
    assert assd == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_within_a_voxel_of_surface_distance(seed):
    a = blob(seed)
    b = np.roll(a, (1, 3, 2), (0, 1, 2)) | a
    found = surface_distance.compute_surface_distances(b, a, SPACING)
    voxel = float(np.linalg.norm(SPACING))
    hd, hd95, assd = surface_distances(a, b, SPACING)
    assert hd == pytest.approx(surface_distance.compute_robust_hausdorff(found, 100), abs=voxel)
    assert hd95 == pytest.approx(surface_distance.compute_robust_hausdorff(found, 95), abs=voxel)
    assert assd == pytest.approx(np.mean(surface_distance.compute_average_surface_distance(found)), abs=voxel)


def test_distance_of_a_shifted_plane_is_the_shift_in_millimetres():
    a, b = box((4, 0, 0), (5, 20, 24)), box((7, 0, 0), (8, 20, 24))
    assert surface_distances(a, b, SPACING) == pytest.approx((9.0, 9.0, 9.0))
    assert surface_distances(a, a, SPACING) == (0, 0, 0)


def test_where_the_image_ends_there_is_no_surface():
    """Two organs that the field of view cuts off at slice 0: only their upper ends differ, by 3 slices of 3 mm."""
    a, b = box((0, 0, 0), (5, 20, 24)), box((0, 0, 0), (8, 20, 24))
    assert surface_distances(a, b, SPACING) == pytest.approx((9.0, 9.0, 9.0))
    whole = box((0, 0, 0), (12, 20, 24))
    assert surface_distances(a, whole, SPACING) == (math.inf,) * 3  # no surface at all


def test_distances_of_empty_masks():
    a, nothing = box((2, 2, 2), (6, 8, 8)), np.zeros((12, 20, 24), bool)
    assert surface_distances(a, nothing, SPACING) == (math.inf,) * 3
    assert surface_distances(nothing, a, SPACING) == (math.inf,) * 3
    assert all(math.isnan(value) for value in surface_distances(nothing, nothing, SPACING))


def test_case_tells_what_is_absent(folders):
    predictions, truth = folders
    rows = {row["organ"]: row for row in evaluate_case(predictions / "b.nii.gz", truth / "b.nii.gz", LABELS)}
    assert list(rows) == ["spleen", "right_kidney", "left_kidney", "liver"]
    spleen, liver = rows["spleen"], rows["liver"]
    assert (spleen["dice"], spleen["hd95"], spleen["volume_difference"]) == (0, math.inf, -1)
    assert spleen["truth_ml"] == pytest.approx(4 * 6 * 6 * 3.6 / 1000)
    assert math.isnan(liver["dice"]) and math.isnan(liver["hd95"]) and math.isnan(liver["volume_difference"])
    assert liver["truth_ml"] == 0 and liver["prediction_ml"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [({"spacing": (3.0, 1.5, 0.9)}, "of 0.9 x 1.5 x 3 mm"), ({"origin": (0.0, 0.0, 2.0)}, "at 0 x 0 x 2")],
)
def test_other_grid_is_refused(folders, options, words):
    predictions, truth = folders
    write(predictions / "a.nii.gz", box((2, 2, 2), (6, 8, 8)), **options)
    with pytest.raises(UserError, match=rf"a\.nii\.gz \(.*{words}.*\) is not on the grid of .*a\.nii\.gz"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", LABELS)


def test_other_size_is_refused(folders):
    predictions, truth = folders
    write(predictions / "a.nii.gz", np.zeros((5, 6, 7)))
    with pytest.raises(UserError, match=r"7 x 6 x 5 voxels .* is not on the grid"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", LABELS)


def test_truth_with_other_labels_and_broken_files_are_refused(folders):
    predictions, truth = folders
    write(truth / "a.nii.gz", 6 * box((2, 2, 2), (6, 8, 8)))
    with pytest.raises(UserError, match=r"a\.nii\.gz has value 6"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", LABELS)
    (predictions / "a.nii.gz").write_text("no image")
    with pytest.raises(UserError, match=r"a\.nii\.gz cannot be read"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", LABELS)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no real data here")
def test_the_chaos_organisers_sample_has_their_published_scores(tmp_path):
    """github emrekavur/CHAOS-evaluation, README: DICE=0.978 RAVD=0.665 ASSD=0.734 MSSD=14."""
    case = SHARED_DATA / "chaos_ct_native/Train_Sets/CT/1"
    files = []
    for name, folder in (("truth", case / "Ground"), ("sample", SHARED_DATA / "chaos_ct_native/example_segmentation")):
        pairs = pair_by_name(list(case.glob("DICOM_anon/*.dcm")), list(folder.glob("*.png")))
        _, label = read_labelled_stack(pairs, lambda plane, _: (plane > 0).astype(np.uint8))
        write_volume(label, tmp_path / f"{name}.nii.gz")
        files.append(tmp_path / f"{name}.nii.gz")
    (row,) = evaluate_case(files[1], files[0], {"background": 0, "liver": 1})
    found = (row["dice"], 100 * abs(row["volume_difference"]), row["assd"], row["hd"])
    assert [round(value, 3) for value in found] == [0.978, 0.665, 0.734, 14]


def test_folder_is_the_same_with_two_processes(folders):
    alone = evaluate_folder(*folders, LABELS)
    assert alone["case"].tolist() == ["a"] * 4 + ["b"] * 4
    pd.testing.assert_frame_equal(alone, evaluate_folder(*folders, LABELS, processes=2))


def test_missing_prediction_and_missing_truth_are_named(folders, tmp_path):
    predictions, truth = folders
    (predictions / "b.nii.gz").unlink()
    with pytest.raises(UserError, match=r"predictions/b\.nii\.gz is missing"):
        evaluate_folder(predictions, truth, LABELS)
    with pytest.raises(UserError, match="has no file"):
        evaluate_folder(predictions, tmp_path, LABELS)


def test_summary_leaves_absent_organs_out_and_counts_missed_ones(folders):
    scores = evaluate_folder(*folders, LABELS)
    distances = summarize(scores, ["organ"], "hd95")
    assert distances.index.tolist() == ["spleen", "liver"]
    assert distances.loc["spleen", ["mean", "cases", "missed"]].tolist() == [0, 2, 1]
    dices = summarize(scores, ["organ"], "dice")
    assert dices.loc["spleen", ["mean", "sd"]].tolist() == pytest.approx([0.5, math.sqrt(0.5)])
    assert dices.loc["liver", "cases"] == 1


def test_command_prints_a_table_and_writes_rows(folders, tmp_path, capsys):
    table = tmp_path / "scores.csv"
    assert main(["evaluate", *map(str, folders), "--csv", str(table), "-np", "1"]) == 0
    printed = capsys.readouterr().out
    assert "0.500 ± 0.707" in printed and "not found" in printed
    assert len(pd.read_csv(table)) == 8


def test_command_prefers_the_labels_beside_the_predictions(folders, capsys):
    labels = {"background": 0, "milt": 1, "lever": 4}
    (folders[0] / "dataset.json").write_text(json.dumps({"labels": labels, "file_ending": ".nii.gz"}))
    assert main(["evaluate", *map(str, folders), "-np", "1"]) == 0
    assert "milt" in capsys.readouterr().out


def test_command_needs_folders_and_a_dataset_json(folders, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "no"), str(folders[1])]) == 2
    assert "is not a folder" in capsys.readouterr().err
    (folders[1].parent / "dataset.json").unlink()
    assert main(["evaluate", *map(str, folders)]) == 2
    assert "has no dataset.json" in capsys.readouterr().err
