"""Groups in which a scan has several channels, the same number in each dataset or not, from raw data to predictions."""

import pytest
import torch

from mass_nnunet.cli import main
from nnunet_threads import use_threads
from scarce_group import SHORT, cases, garble_hidden_labels, models, predicted, trained, without_results
from tiny_group import CT, MRI, plan_group, trainer, use_folders
from tiny_raw import write_raw_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A planned group of CTs with one channel and MRIs with two."""
    root = tmp_path_factory.mktemp("channels")
    write_raw_dataset(root / "raw", CT, "CT", cases("ct", 3), ["ctun"])
    write_raw_dataset(root / "raw", MRI, "MRI", cases("mr", 3), ["mrun"], ["mrtest"], seed=1, more=["OUT"])
    plan_group(root, ["801", "802"], ["--label-rates", "0.5"], SHORT)
    return root


@pytest.fixture(autouse=True)
def folders(root, monkeypatch):
    use_folders(monkeypatch, root)
    use_threads(monkeypatch)


def test_from_raw_data_to_predictions_and_hidden_labels_change_no_weight(root, tmp_path):
    """The atlases of both modalities, their templates among them, have the channels of their scans."""
    assert main(["check", "-d", "801", "802", "-np", "1"]) == 0
    weights = trained(root, "801", validated=True)
    assert models(root) == [CT, MRI]
    stems = [next(v for k, v in weights.items() if k.startswith(f"unets.{m}.encoder")) for m in (0, 1)]
    assert [stem.shape[1] for stem in stems] == [1, 2]
    images = weights["atlases.images"]
    assert [bool(images[m, 0, 1].any()) for m in (0, 1)] == [False, True]
    predicted(root, "802", root / "raw" / MRI / "imagesTs" / "mrtest_0000.nii.gz", tmp_path)
    for ident, case in (("801", "ct0"), ("802", "mrtest")):
        assert main(["visualize", "-d", ident, case, "-o", str(tmp_path / "page.html")]) == 0
        assert main(["export", "-d", ident, "-o", str(tmp_path / f"{ident}.zip")]) == 0

    without_results(root)
    assert garble_hidden_labels(root, MRI), "the fold hides a label"
    after = trained(root, "801")
    assert weights.keys() == after.keys()
    assert all(torch.equal(weights[key], after[key]) for key in weights)


@pytest.mark.parametrize(
    "name", ["MMKDTrainerOrganContrast", "MASSTrainerSCAC", "SingleModalityTrainerOrganContrast", "LTNetTrainer"]
)
def test_other_methods(root, name):
    weights = trained(root, "802", name)
    assert all(torch.isfinite(weight).all() for weight in weights.values())


@pytest.mark.parametrize("name", ["MASSReleaseTrainer", "PooledTrainer"])
def test_the_encoder_of_another_modality_needs_as_many_channels(root, name):
    with pytest.raises(SystemExit, match=f"^error: {name} needs scans with as many channels in all datasets"):
        trainer(name, "801").initialize()
