"""Scores of cases and folders, against nnU-Net and the published scores of CHAOS."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from label_maps import write_label_map, write_values
from masks import SPACING, box
from mass_nnunet.data.volume import write_volume
from mass_nnunet.dataset_conversion.readers.dicom_stack import pair_by_name, read_labelled_stack
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.metrics import dice
from mass_nnunet.evaluation.scores import Rules, bounding_box, evaluate_case, evaluate_folder, score_columns, summarize
from mass_nnunet.evaluation.surface import surface_dice, surface_distances
from mass_nnunet.labels import LABELS
from native_trees import SHARED_DATA

RULES = Rules(LABELS)


def test_box_holds_an_organ_and_one_voxel_more_inside_of_the_image():
    assert bounding_box(box((0, 3, 2), (6, 20, 8))) == (slice(0, 7), slice(2, 21), slice(1, 9))
    assert box((0, 3, 2), (6, 20, 8))[bounding_box(np.zeros((12, 20, 24), bool))].size == 0


def test_case_tells_what_is_absent(folders):
    predictions, truth = folders
    rows = {row["organ"]: row for row in evaluate_case(predictions / "b.nii.gz", truth / "b.nii.gz", RULES)}
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
    files = [write_label_map(tmp_path / name, mask) for name, mask in zip(("p.nii.gz", "t.nii.gz"), masks, strict=True)]
    (row,) = evaluate_case(*files, Rules({"background": 0, "liver": 1}, [1, 2.5]))
    assert list(row) == score_columns([1, 2.5])
    spacing = sitk.ReadImage(str(files[0])).GetSpacing()[::-1]
    assert [row["hd"], row["hd95"], row["assd"]] == pytest.approx(surface_distances(*masks, spacing))
    assert [row["nsd_1mm"], row["nsd_2.5mm"]] == pytest.approx(surface_dice(*masks, spacing, [1, 2.5]))
    assert row["dice"] == dice(*masks)


def test_dice_is_that_of_nnunets_summary(folders):
    """If only the prediction has the organ, nnU-Net's Dice is 0; here it is NaN, and the volume shows the organ."""
    predictions, truth = folders
    organs = {organ: value for organ, value in LABELS.items() if value}
    summary = compute_metrics_on_folder(
        str(truth), str(predictions), None, SimpleITKIO(), ".nii.gz", list(organs.values()), num_processes=1
    )
    scores = evaluate_folder(predictions, truth, RULES).set_index(["case", "organ"])
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
    write_label_map(predictions / "a.nii.gz", box((2, 2, 2), (6, 8, 8)), **options)
    with pytest.raises(UserError, match=rf"a\.nii\.gz \(.*{words}.*\) is not on the grid of .*a\.nii\.gz"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", RULES)


def test_other_size_is_refused(folders):
    predictions, truth = folders
    write_label_map(predictions / "a.nii.gz", np.zeros((5, 6, 7)))
    with pytest.raises(UserError, match=r"7 x 6 x 5 voxels .* is not on the grid"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", RULES)


def test_truth_with_other_labels_and_broken_files_are_refused(folders):
    predictions, truth = folders
    write_label_map(truth / "a.nii.gz", 6 * box((2, 2, 2), (6, 8, 8)))
    with pytest.raises(UserError, match=r"a\.nii\.gz has value 6"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", RULES)
    (predictions / "a.nii.gz").write_text("no image")
    with pytest.raises(UserError, match=r"a\.nii\.gz cannot be read"):
        evaluate_case(predictions / "a.nii.gz", truth / "a.nii.gz", RULES)


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
    (row,) = evaluate_case(files[1], files[0], Rules({"background": 0, "liver": 1}))
    found = (row["dice"], 100 * abs(row["volume_difference"]), row["assd"], row["hd"])
    assert [round(value, 3) for value in found] == [0.978, 0.665, 0.734, 14]


def test_folder_is_the_same_with_two_processes(folders):
    alone = evaluate_folder(*folders, RULES)
    assert alone["case"].tolist() == ["a"] * 4 + ["b"] * 4
    pd.testing.assert_frame_equal(alone, evaluate_folder(*folders, RULES, processes=2))


def test_missing_prediction_and_missing_truth_are_named(folders, tmp_path):
    predictions, truth = folders
    (predictions / "b.nii.gz").unlink()
    with pytest.raises(UserError, match=r"predictions/b\.nii\.gz is missing"):
        evaluate_folder(predictions, truth, RULES)
    with pytest.raises(UserError, match="has no file"):
        evaluate_folder(predictions, tmp_path, RULES)
    (predictions / "b.NII.GZ").touch()
    with pytest.raises(UserError, match=r"predictions/b.NII.GZ does not end with .nii.gz .*: rename it to b.nii.gz"):
        evaluate_folder(predictions, truth, RULES)


def test_summary_leaves_absent_organs_out_and_counts_missed_ones(folders):
    scores = evaluate_folder(*folders, RULES)
    distances = summarize(scores, ["organ"], "hd95")
    assert distances.index.tolist() == ["spleen", "liver"]
    assert distances.loc["spleen", ["mean", "cases", "missed"]].tolist() == [0, 2, 1]
    dices = summarize(scores, ["organ"], "dice")
    assert dices.loc["spleen", ["mean", "sd"]].tolist() == pytest.approx([0.5, math.sqrt(0.5)])
    assert dices.loc["liver", "cases"] == 1


def test_the_case_is_the_name_of_the_file_but_its_ending(tmp_path):
    for folder in ("predictions", "truth"):
        for case in ("1.3.6.1.ct", "1.3.6.2.ct"):
            write_label_map(tmp_path / folder / f"{case}.nii.gz", box((2, 2, 2), (6, 8, 8)))
    scores = evaluate_folder(tmp_path / "predictions", tmp_path / "truth", RULES)
    assert scores["case"].unique().tolist() == ["1.3.6.1.ct", "1.3.6.2.ct"]
    (tmp_path / "truth/1.3.6.1.ct.nii.gz").rename(tmp_path / "truth/1.3.6.1.ct.mha")
    files = (tmp_path / "predictions/1.3.6.1.ct.nii.gz", tmp_path / "truth/1.3.6.2.ct.nii.gz")
    (row, *_) = evaluate_case(*files, Rules(LABELS, ending=".gz"))
    assert row["case"] == "1.3.6.2.ct.nii"


@pytest.mark.parametrize(("value", "text"), [(9, "has value 9, which"), (1.5, "holds the value 1.5, which")])
def test_a_prediction_with_other_labels_is_refused(folders, value, text):
    predictions, truth = folders
    write_values(predictions / "b.nii.gz", value * box((2, 2, 2), (4, 4, 4)).astype(np.float32))
    with pytest.raises(UserError, match=rf"predictions/b\.nii\.gz {text}"):
        evaluate_folder(predictions, truth, RULES)


def test_values_close_to_whole_numbers_are_rounded_and_told(folders, capsys):
    predictions, truth = folders
    whole = evaluate_folder(predictions, truth, RULES)
    for file in (predictions / "a.nii.gz", truth / "b.nii.gz"):
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
        write_values(file, np.where(values > 0, values - 7e-10, 0))
    capsys.readouterr()
    pd.testing.assert_frame_equal(evaluate_folder(predictions, truth, RULES), whole)
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert [note.split()[1] for note in notes] == [str(predictions / "a.nii.gz"), str(truth / "b.nii.gz")]


def test_ignored_voxels_count_for_nothing(tmp_path):
    """Half of an organ is ignored: the score is that of the other half, whatever was predicted there."""
    labels = {"background": 0, "liver": 1, "ignore": 2}
    truth, prediction = box((2, 2, 2), (8, 8, 8)).astype(np.uint8), box((2, 2, 2), (8, 8, 8)).astype(np.uint8)
    prediction[7, 2:8, 2:8] = 0
    truth[:5] = 2
    predicted, true = (
        write_label_map(tmp_path / name, array) for name, array in (("p.nii.gz", prediction), ("t.nii.gz", truth))
    )
    (row,) = evaluate_case(predicted, true, Rules(labels))
    assert row["organ"] == "liver" and row["dice"] == pytest.approx(2 * 2 / (2 + 3))
    assert row["truth_ml"] == pytest.approx(3 * 36 * math.prod(SPACING) / 1000)
    copied, whole = prediction.copy(), prediction.copy()
    copied[:5], whole[:4] = 2, 0
    for other in (copied, whole):
        assert evaluate_case(write_label_map(tmp_path / "q.nii.gz", other), true, Rules(labels)) == [row]
    copied[6, 0, 0] = 2
    with pytest.raises(UserError, match=r"q.nii.gz has value 2"):
        evaluate_case(write_label_map(tmp_path / "q.nii.gz", copied), true, Rules(labels))


def test_a_region_of_several_values_is_scored_as_one(tmp_path):
    """As in nnU-Net: whole tumour and tumour core overlap."""
    truth = box((2, 2, 2), (8, 8, 8)) + box((2, 2, 2), (4, 8, 8)).astype(np.uint8)
    prediction = 2 * box((2, 2, 2), (8, 8, 8)).astype(np.uint8)
    files = [write_label_map(tmp_path / name, array) for name, array in (("p.nii.gz", prediction), ("t.nii.gz", truth))]
    rows = evaluate_case(*files, Rules({"background": 0, "whole": [1, 2], "core": [2]}))
    assert [(row["organ"], row["dice"]) for row in rows] == [("whole", 1), ("core", pytest.approx(2 * 2 / (2 + 6)))]


@pytest.mark.parametrize("codes", ["SAR", "PIL", "RAS"])
def test_the_same_voxels_in_other_axes_have_the_same_scores(folders, codes):
    predictions, truth = folders
    scores = evaluate_folder(predictions, truth, RULES)
    for file in predictions.glob("*.nii.gz"):
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(file)), codes), str(file))
    pd.testing.assert_frame_equal(evaluate_folder(predictions, truth, RULES), scores)


@pytest.mark.parametrize("index", [0, 1])
def test_broken_links_are_named(folders, index):
    file = folders[index] / "b.nii.gz"
    file.unlink()
    file.symlink_to(file.with_name("gone"))
    with pytest.raises(UserError, match=f"{file} is a broken link"):
        evaluate_folder(*folders, RULES)


def test_structures_that_were_not_annotated_are_not_scored(folders):
    whole = evaluate_folder(*folders, RULES)
    partly = evaluate_folder(*folders, Rules(LABELS, annotated={"a": ("liver",)}))
    kept = (whole["case"] != "a") | (whole["organ"] == "liver")
    pd.testing.assert_frame_equal(partly, whole[kept].reset_index(drop=True))
