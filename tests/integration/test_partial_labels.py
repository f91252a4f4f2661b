"""Scans in which not all was annotated, through split, plan and training: what is unknown changes no weight."""

import json
import pickle
import shutil
from pathlib import Path

import blosc2
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class

from mass_nnunet.data.files import read_json
from mass_nnunet.labels import LABELS
from mass_nnunet.training.annotation import AnnotatedDataset, annotated_slices
from scarce_group import SHORT, cases, same_weights, trained, without_results
from tiny_group import CT, MRI, entry, plan_group, trainer, use_folders
from tiny_raw import write_raw_dataset

SPARSE = 2
PARTLY = {"ct0": ["liver"], "ct1": ["spleen", "left_kidney"], "ct2": ["liver"]}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Five CTs, three of them annotated in part; every second slice of the training scans is annotated."""
    root = tmp_path_factory.mktemp("partly")
    folder = write_raw_dataset(root / "raw", CT, "CT", cases("ct"), ["ctun"])
    (folder / "annotated.json").write_text(json.dumps(PARTLY))
    plan_group(root, ["801"], ["--label-rates", "1.0", "--sparse", str(SPARSE)], SHORT)
    return root


def garble_unknown_labels(root: Path) -> int:
    """Sample what is unknown anew, in preprocessed label maps and the places of organs; how many voxels changed."""
    rng = np.random.default_rng(0)
    fold, changed = entry(root, CT), 0
    (arrays,) = (root / "preprocessed" / CT).glob("MASSPlans_*d_fullres")
    for case in fold["train"]:
        file = arrays / f"{case}_seg.b2nd"
        labels = blosc2.open(urlpath=str(file), mode="r")[:]
        annotated = fold["annotated"].get(case, list(LABELS))
        missing = [value for organ, value in LABELS.items() if organ not in annotated and value]
        unknown = np.isin(labels, [0, *missing])
        garbage = np.where(unknown, rng.choice([0, *missing], labels.shape), labels)
        hidden = ~annotated_slices(labels.shape[1], SPARSE)
        garbage[:, hidden] = rng.integers(0, len(LABELS), garbage[:, hidden].shape)
        changed += int((garbage != labels).sum())
        blosc2.asarray(garbage.astype(labels.dtype), urlpath=str(file), mode="w")
        properties = pickle.loads((arrays / f"{case}.pkl").read_bytes())
        for value, places in properties["class_locations"].items():
            elsewhere = np.argwhere(garbage == value)
            if value in missing:
                properties["class_locations"][value] = elsewhere
            elif len(places):
                more = elsewhere[hidden[elsewhere[:, 1]]]
                kept = places[~hidden[places[:, 1]]]
                properties["class_locations"][value] = np.concatenate([kept, more])
        (arrays / f"{case}.pkl").write_bytes(pickle.dumps(properties))
    return changed


@pytest.mark.parametrize("name", ["MASSTrainer", "SupervisedTrainer", "UniMatchTrainerOrganContrast"])
def test_what_was_not_annotated_changes_no_weight(planned, tmp_path, name):
    root = Path(shutil.copytree(planned, tmp_path / "group"))
    fold = entry(root, CT)
    assert (len(fold["train"]), len(fold["val"]), fold["sparse"]) == (4, 1, SPARSE)
    assert fold["annotated"] == PARTLY and not set(fold["val"]) & set(PARTLY)
    before = trained(root, "801", name)
    without_results(root)
    assert garble_unknown_labels(root) > 1000
    after = trained(root, "801", name)
    assert all(torch.isfinite(weight).all() for weight in before.values())
    assert same_weights(before, after)


def test_validation_counts_all_slices(planned, monkeypatch):
    use_folders(monkeypatch, planned)
    one = trainer("SupervisedTrainer", "801")
    (case,) = one.fold_cases().val
    training, validation = datasets_of(one)
    unknown = one.possible.ignored
    assert not (validation.load_case(case)[1][:] == unknown).any()
    assert (training.load_case(one.fold_cases().train[0])[1][:, ::SPARSE] == unknown).all()


def datasets_of(one) -> tuple:
    """Training and validation datasets of a trainer that was not initialized."""
    one.dataset_class = infer_dataset_class(one.preprocessed_dataset_folder)
    return one.get_tr_and_val_datasets()


def test_ignored_voxels_of_one_dataset_of_a_group(tmp_path, monkeypatch):
    """A slab of each CT is ignored, and no voxel of an MRI: both networks learn, and atlases hold what is unknown."""
    root = tmp_path / "group"
    for name, letters, channel in ((CT, "ct", "CT"), (MRI, "mr", "MRI")):
        write_raw_dataset(root / "raw", name, channel, cases(letters, 3), [f"{letters}un"])
    content = read_json(root / "raw" / CT / "dataset.json", "")
    (root / "raw" / CT / "dataset.json").write_text(json.dumps(content | {"labels": {**LABELS, "ignore": 5}}))
    ignore_slab(root / "raw" / CT / "labelsTr")
    plan_group(root, ["801", "802"], ["--label-rates", "1.0"], SHORT)
    use_folders(monkeypatch, root)
    for dataset in ("801", "802"):
        one = trainer("MASSTrainer", dataset)
        assert one.label_manager.ignore_label == one.possible.ignored == 5
        assert one.label_manager.num_segmentation_heads == 5
        assert isinstance(datasets_of(one)[0], AnnotatedDataset) is (dataset == "802")
    weights = trained(root, "802")
    assert all(torch.isfinite(weight).all() for weight in weights.values())
    annotated = weights["atlases.outlined"]
    labels = [weights["atlases.labels"][m, : annotated[m]] for m in range(2)]
    assert (labels[0] == 5).any() and not (labels[1] == 5).any()
    assert all(set(of_one.unique().tolist()) <= set(range(6)) for of_one in labels)


def ignore_slab(folder: Path) -> None:
    """Set the first three slices of all label maps to ignore."""
    for file in folder.iterdir():
        image = sitk.ReadImage(str(file))
        values = sitk.GetArrayFromImage(image)
        values[:3] = 5
        changed = sitk.GetImageFromArray(values)
        changed.CopyInformation(image)
        sitk.WriteImage(changed, str(file))
