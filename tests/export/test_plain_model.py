import zipfile

import pytest
import torch

from mass_nnunet.errors import UserError
from mass_nnunet.export.plain_model import check_trained, public_dataset, public_plans, write_zip


def test_nothing_but_what_nnunet_knows_is_public():
    plans = {"plans_name": "MASSPlans", "configurations": {"3d_fullres": {}}, "mass": {"dataset": "Dataset802_MRS"}}
    assert public_plans(plans) == {"plans_name": "MASSPlans", "configurations": {"3d_fullres": {}}}
    dataset = {
        "labels": {"background": 0, "liver": 1},
        "file_ending": ".nii.gz",
        "licence": "CC-BY 4.0",
        "training": [{"image": "/data/miller.nii.gz"}],
        "dataset": {"miller": {"images": ["/data/miller.nii.gz"]}},
        "converted_from": "/home/somebody/chaos.zip",
    }
    assert public_dataset(dataset) == {key: dataset[key] for key in ("labels", "file_ending", "licence")}


@pytest.fixture
def folder(tmp_path):
    """Fold 0 trained, fold 1 not to its end."""
    for fold, name in ((0, "checkpoint_final.pth"), (0, "checkpoint_best.pth"), (1, "checkpoint_latest.pth")):
        file = tmp_path / f"fold_{fold}" / name
        file.parent.mkdir(exist_ok=True)
        torch.save({"weights": torch.zeros(3)}, file)
    return tmp_path


def test_what_is_trained_is_fine(folder):
    check_trained(folder, [0], ["checkpoint_final.pth", "checkpoint_best.pth"])
    check_trained(folder, [0, 1], [])


@pytest.mark.parametrize(
    ("fold", "text"),
    [
        (1, "fold_1/checkpoint_final.pth does not exist: let the training end .*written: checkpoint_latest.pth"),
        (2, "fold_2 does not exist: train fold 2, or name others with -f .trained: 0 1"),
    ],
)
def test_what_is_not_trained_is_said(folder, fold, text):
    with pytest.raises(UserError, match=text):
        check_trained(folder, [0, fold], ["checkpoint_final.pth"])


def test_a_damaged_checkpoint_is_said(folder):
    file = folder / "fold_0" / "checkpoint_final.pth"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"checkpoint_final.pth is damaged"):
        check_trained(folder, [0], ["checkpoint_final.pth"])


def test_no_model_at_all(tmp_path):
    with pytest.raises(UserError, match="does not exist: train the model"):
        check_trained(tmp_path / "none", [0], [])


def test_a_zip_is_whole_or_not_there(tmp_path):
    def entries():
        yield "a/b.json", "{}"
        raise UserError("the second file is bad")

    out = tmp_path / "model.zip"
    out.write_bytes(b"before")
    with pytest.raises(UserError):
        write_zip(out, entries())
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    assert out.read_bytes() == b"before"
    write_zip(out, [("a/b.json", "{}"), ("a/c", b"12")])
    with zipfile.ZipFile(out) as file:
        assert {name: file.read(name) for name in file.namelist()} == {"a/b.json": b"{}", "a/c": b"12"}
