"""Measures against closed forms, MONAI and nnU-Net; folders; the command. Surfaces are tested in test_surface.py."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from monai.metrics import compute_dice
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from masks import SPACING, blob, box, one_hot
from mass_nnunet.cli import main
from mass_nnunet.data.volume import write_volume
from mass_nnunet.dataset_conversion.readers.dicom_stack import pair_by_name, read_labelled_stack
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.scores import dice, evaluate_case, evaluate_folder, organ_box, score_columns, summarize
from mass_nnunet.evaluation.surface import surface_dice, surface_distances
from mass_nnunet.labels import LABELS
from native_trees import SHARED_DATA


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
def test_dice_is_monais(seed):
    a, b = blob(seed), blob(seed) | blob(seed + 10)
    assert dice(a, b) == pytest.approx(compute_dice(one_hot(a), one_hot(b), include_background=False).item())


def test_box_holds_an_organ_and_one_voxel_more_inside_of_the_image():
    assert organ_box(box((0, 3, 2), (6, 20, 8))) == (slice(0, 7), slice(2, 21), slice(1, 9))
    assert box((0, 3, 2), (6, 20, 8))[organ_box(np.zeros((12, 20, 24), bool))].size == 0


def test_case_tells_what_is_absent(folders):
    predictions, truth = folders
    rows = {row["organ"]: row for row in evaluate_case(predictions / "b.nii.gz", truth / "b.nii.gz", LABELS)}
    assert list(rows) == ["spleen", "right_kidney", "left_kidney", "liver"]
    spleen, liver = rows["spleen"], rows["liver"]
    assert (spleen["dice"], spleen["hd95"], spleen["volume_difference"]) == (0, math.inf, -1)
    assert spleen["nsd_2mm"] == 0
    assert spleen["truth_ml"] == pytest.approx(4 * 6 * 6 * 3.6 / 1000)
    assert all(math.isnan(liver[name]) for name in ("dice", "hd95", "nsd_2mm", "volume_difference"))
    assert liver["truth_ml"] == 0 and liver["prediction_ml"] > 0


def test_measures_of_a_cropped_organ_are_those_of_the_whole_image(tmp_path):
    """Organs at the border of the image, where the box must not make up a surface."""
    masks = [box((0, 3, 2), (6, 20, 8)), box((0, 5, 2), (7, 18, 9))]
    files = [write(tmp_path / name, mask) for name, mask in zip(("p.nii.gz", "t.nii.gz"), masks, strict=True)]
    (row,) = evaluate_case(*files, {"background": 0, "liver": 1}, [1, 2.5])
    assert list(row) == score_columns([1, 2.5])
    spacing = sitk.ReadImage(str(files[0])).GetSpacing()[::-1]
    assert [row["hd"], row["hd95"], row["assd"]] == pytest.approx(surface_distances(*masks, spacing))
    assert [row["nsd_1mm"], row["nsd_2.5mm"]] == pytest.approx(surface_dice(*masks, spacing, [1, 2.5]))
    assert row["dice"] == dice(*masks)


def test_dice_is_that_of_nnunets_summary(folders):
    """There it is 0 where only the prediction has the organ; here it is NaN, and the volume tells."""
    predictions, truth = folders
    organs = {organ: value for organ, value in LABELS.items() if value}
    summary = compute_metrics_on_folder(
        str(truth), str(predictions), None, SimpleITKIO(), ".nii.gz", list(organs.values()), num_processes=1
    )
    scores = evaluate_folder(predictions, truth, LABELS).set_index(["case", "organ"])
    for case in summary["metric_per_case"]:
        name = Path(case["reference_file"]).name.split(".")[0]
        for organ, value in organs.items():
            ours, theirs = scores.loc[(name, organ)], case["metrics"][value]
            expected = theirs["Dice"] if theirs["n_ref"] else math.nan
            assert ours["dice"] == pytest.approx(expected, nan_ok=True)
            assert ours["prediction_ml"] == pytest.approx(theirs["n_pred"] * math.prod(SPACING) / 1000)


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
    rows = pd.read_csv(table)
    assert len(rows) == 8 and rows.columns.tolist() == score_columns()


def test_command_takes_several_tolerances(folders, tmp_path, capsys):
    table = tmp_path / "scores.csv"
    options = ["--tolerance", "3", "0.5", "3", "--csv", str(table), "-np", "1"]
    assert main(["evaluate", *map(str, folders), *options]) == 0
    assert "NSD 0.5mm" in capsys.readouterr().out
    assert pd.read_csv(table).columns.tolist() == score_columns([0.5, 3])


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "two"])
def test_command_refuses_what_is_no_tolerance(folders, tolerance, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", *map(str, folders), "--tolerance=" + tolerance])
    assert "--tolerance" in capsys.readouterr().err


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
