import pytest

from mass_nnunet.data.paths import base_folder, data_folders_in, dataset_folder, dataset_name, fold_folders
from mass_nnunet.errors import UserError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{kind}", str(tmp_path / kind))
    (tmp_path / "raw/Dataset801_BTCV").mkdir(parents=True)


def test_folders_of_a_dataset(tmp_path):
    assert dataset_name(801) == "Dataset801_BTCV"
    for kind in ("raw", "preprocessed", "results"):
        assert base_folder(kind) == tmp_path / kind
        assert dataset_folder(kind, 801) == tmp_path / kind / "Dataset801_BTCV"  # whether it exists or not


def test_other_folders_of_data(tmp_path):
    assert data_folders_in(tmp_path) == {
        "nnUNet_raw": str(tmp_path / "raw"),
        "nnUNet_preprocessed": str(tmp_path / "preprocessed"),
    }


def test_folders_of_trainings(tmp_path, monkeypatch):
    assert fold_folders("Dataset801_BTCV") == []
    fold = tmp_path / "results" / "Dataset801_BTCV" / "MASSTrainer__MASSPlans__3d_fullres" / "fold_0"
    fold.mkdir(parents=True)
    assert fold_folders("Dataset801_BTCV") == [fold] and fold_folders("Dataset802_CHAOS") == []
    monkeypatch.delenv("nnUNet_results")
    assert fold_folders("Dataset801_BTCV") == []


def test_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("nnUNet_results")
    with pytest.raises(UserError, match="nnUNet_results is not set: run `mass_nnunet env`"):
        base_folder("results")


def test_no_dataset_and_several(tmp_path):
    with pytest.raises(UserError, match=r"there is no dataset 802 in .*raw: make it with `mass_nnunet convert`"):
        dataset_name(802)
    (tmp_path / "preprocessed/Dataset801_Other").mkdir(parents=True)
    with pytest.raises(UserError, match=r"dataset 801 has several names \(Dataset801_.*\): keep one of them"):
        dataset_name(801)
