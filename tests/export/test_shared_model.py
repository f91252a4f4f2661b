"""The files in an exported zip: no patient's data, and a card that tells what is known."""

import json
import pickletools
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import stock_prediction
from exported_model import SECRET, SUPERVISED, checkpoint_of, read_card
from mass_nnunet.api.loading import load_model, predicting_by
from mass_nnunet.cli import main
from mass_nnunet.export.shared_model import outside_count, read_validation, stated_licence
from tiny_group import CT, MODEL, MRI


def strings(file: zipfile.ZipFile, name: str) -> str:
    """All text in a pickle."""
    return "\n".join(arg for _, arg, _ in pickletools.genops(file.read(name)) if isinstance(arg, str))


@pytest.mark.parametrize("name", [CT, MRI, "supervised"])
def test_no_patient_goes_out(root, exported, name):
    checkpoint, inner = checkpoint_of(exported[name])
    texts = [strings(inner, entry) for entry in inner.namelist() if entry.endswith(".pkl")]
    with zipfile.ZipFile(exported[name]) as archive:
        names = {Path(entry).name for entry in archive.namelist()}
        texts += [archive.read(entry).decode() for entry in archive.namelist() if not entry.endswith(".pth")]
    assert names == {"checkpoint_final.pth", "plans.json", "dataset.json", "MODEL_CARD.md"}
    cases = [path.name.split("_")[0] for path in (root / "raw").rglob("*_0000.nii.gz")]
    assert len(cases) == 14
    # The search sees what is there, and there is something to leave out.
    assert "dataset_json" in texts[0]
    for model in (f"{CT}/{MODEL}", f"{MRI}/{MODEL}", f"{CT}/{SUPERVISED}"):
        assert SECRET in (root / "results" / model / "dataset.json").read_text()
    for secret in (*cases, str(root), SECRET):
        assert not [text for text in texts if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)], secret
    # Every byte that torch stored is of a weight of the plain network.
    stored = sum(entry.file_size for entry in inner.infolist() if "/data/" in entry.filename)
    weights = {value.data_ptr(): value for value in checkpoint["network_weights"].values()}
    assert stored == sum(value.numel() * value.element_size() for value in weights.values())
    assert set(checkpoint) == {
        "network_weights",
        "trainer_name",
        "init_args",
        "inference_allowed_mirroring_axes",
    }


def test_an_adapted_model_predicts_what_the_original_does(root, tmp_path):
    """One U-Net of this package, without atlases, and without a word of the other dataset."""
    zipped, logits = tmp_path / "adapted.zip", []
    assert main(["export", "-d", "802", "--inference", "adapted", "-o", str(zipped)]) == 0
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / MRI / "SingleModalityTrainer__MASSPlans__3d_fullres"
    card = (folder / "MODEL_CARD.md").read_text()
    assert "nnUNetv2_predict -d Dataset802_MRS -i IN -o OUT -tr SingleModalityTrainer" in card
    assert CT not in (folder / "plans.json").read_text()
    weights = torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert weights["trainer_name"] == "SingleModalityTrainer"
    assert all(key.startswith("unets.0.") for key in weights["network_weights"])
    assert weights["init_args"]["plans"] == json.loads((folder / "plans.json").read_text())
    for model in (folder, root / "results" / MRI / MODEL):
        predictor = load_model(model, 0, "checkpoint_final.pth", torch.device("cpu"))
        with predicting_by(predictor.network, "adapted"):
            scan = root / "raw" / MRI / "imagesTs" / "mrtest_0000.nii.gz"
            stock_prediction.predict(predictor, scan, tmp_path / "found")
        logits.append(np.load(tmp_path / "found.npy"))
        assert predictor.network.intensity_weight
    assert np.array_equal(*logits)


def test_the_card_tells_the_fold_and_the_scores(root, tmp_path):
    folder = root / "results" / CT / SUPERVISED
    summary = {"mean": {str(value): {"Dice": 0.5 + value / 100} for value in range(1, 5)}, "metric_per_case": []}
    (folder / "fold_0" / "validation").mkdir(exist_ok=True)
    (folder / "fold_0" / "validation" / "summary.json").write_text(json.dumps(summary))
    table = tmp_path / "scores.csv"
    rows = [f"case{i},{organ},0.{i}5,{i}.0" for organ in ("spleen", "liver") for i in (7, 8)]
    table.write_text("\n".join(["case,organ,dice,hd95", *rows]))
    out = tmp_path / "model.zip"
    words = ["export", "-d", "801", "-tr", "SupervisedTrainer", "-o", str(out), "--scores", str(table)]
    assert main(words) == 0
    card = read_card(out)
    assert "| Dataset801_CTS | CT | 0 | 1 | 4 | 1 | 0.25 | 0 |" in card
    assert "Dataset802" not in card
    assert "| spleen | 0.510 |" in card
    assert "| liver | 2 | 0.800 ± 0.071 | 7.5 ± 0.7 | 0 |" in card
    assert "CC-BY-SA 4.0" in card
    assert main([*words, "--force", "--licence", "for research alone"]) == 0
    assert "for research alone" in read_card(out)


def test_licence_and_references_of_all_data_that_a_model_has_seen(exported):
    card = read_card(exported[CT])
    assert "## Licence\n\nCC-BY-SA 4.0\n" in card
    assert f"- Who has made {CT}\n- Who has made {MRI}\n" in card
    assert f"- Who has made {MRI}\n" not in read_card(exported["supervised"])
    assert stated_licence({"A": {"licence": "X"}, "B": {"licence": "X"}}) == "X"
    assert stated_licence({"A": {"licence": "X"}, "B": {}}) == "A: X; B: not stated"
    assert stated_licence({"A": {}, "B": {}}) is None


def test_scores_of_another_prediction_are_not_told(root, tmp_path):
    folder = root / "results" / CT / MODEL / "fold_0" / "validation"
    folder.mkdir(exist_ok=True)
    (folder / "summary.json").write_text(json.dumps({"mean": {"1": {"Dice": 0.91}}}))
    assert main(["export", "-d", "801", "-o", str(tmp_path / "m.zip")]) == 0
    card = read_card(tmp_path / "m.zip")
    assert "0.91" not in card
    assert "predicted by `fused`, which this model does not do" in card
    assert "| Dataset802_MRS | MRI | 0 | 1 | 4 | 1 | 0.25 | 0 |" in card


def test_splits_that_are_elsewhere(root, tmp_path, monkeypatch):
    monkeypatch.delenv("nnUNet_preprocessed")
    assert main(["export", "-d", "801", "-o", str(tmp_path / "m.zip")]) == 0
    assert "| Dataset801_CTS | CT | 0 | not known where the model was exported |" in read_card(tmp_path / "m.zip")


def test_the_card_takes_the_number_of_labels_of_another_tool_from_the_checkpoint(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    both = {"Dataset801": {"outside": {"maps": 3, "digest": "x"}}, "Dataset802": {"plans": {}}}
    for content, count in (({"mass_begun": both}, 3), ({}, 0)):
        torch.save(content, file)
        assert outside_count(file) == count


def test_validation_of_regions_is_found_by_nnunets_keys(tmp_path):
    regions = {"background": 0, "whole": [1, 2], "core": [2], "rim": 1, "ignore": 3}
    means = {"(1, 2)": {"Dice": 0.9}, "(2,)": {"Dice": 0.8}, "1": {"Dice": 0.7}}
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "summary.json").write_text(json.dumps({"mean": means}))
    assert read_validation(tmp_path, {"labels": regions}) == {"whole": 0.9, "core": 0.8, "rim": 0.7}
