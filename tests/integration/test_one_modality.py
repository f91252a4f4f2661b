"""A dataset without a partner: split, plan, training, prediction by nnU-Net's command, and its hidden labels."""

import pytest

from mass_nnunet.data.files import read_json
from scarce_group import garble_hidden_labels, models, one_modality, predicted, same_weights, trained, without_results
from tiny_group import CT, MODEL, trainer, use_folders


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("one")
    one_modality(root)
    return root


def test_trains_validates_and_predicts_and_hidden_labels_change_no_weight(root, tmp_path):
    before = trained(root, "801", validated=True)
    fold = root / "results" / CT / MODEL / "fold_0"
    assert models(root) == [CT]
    assert (fold / "validation" / "summary.json").exists()
    assert (fold / "mass_registration.png").exists()
    assert before["atlases.outlined"].tolist() == [1]
    assert before["atlases.count"] > 1, "unlabelled scans become templates"
    predicted(root, "801", root / "raw" / CT / "imagesTs" / "cttest_0000.nii.gz", tmp_path)
    terms = read_json(root / "preprocessed" / CT / "MASSPlans.json", "")["mass"]
    assert [modality["dataset"] for modality in terms["modalities"]] == [CT]

    without_results(root)
    assert garble_hidden_labels(root, CT) == 4 * 3 + 2  # of three scans of imagesTr, and one of imagesUn
    after = trained(root, "801")
    assert same_weights(before, after)


@pytest.mark.parametrize("name", ["MMKDTrainer", "MASSTrainerSCAC", "MASSTrainerNoAC", "MASSReleaseTrainer"])
def test_methods_that_compare_modalities_refuse_one(root, monkeypatch, name):
    use_folders(monkeypatch, root)
    with pytest.raises(SystemExit, match=f"error: {name} compares modalities, and Dataset801_CTS is the only one"):
        trainer(name, "801").initialize()
