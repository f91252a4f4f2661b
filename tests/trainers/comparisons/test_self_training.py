import numpy as np
import pytest
import torch

from mass_nnunet.labels import UNKNOWN
from mass_nnunet.training.loaders import label_file
from method_checks import PATCH, gradients, started, stepped
from tiny_group import CT, annotate_all, entry, trainer


def test_at_first_annotated_scans_alone(root):
    one = started("SelfTrainingTrainer")
    batch = next(one.dataloader_train)
    assert len(batch["keys"]) == 3  # two annotated scans, and an unlabelled one that waits for its labels
    data, target = one.prepare(batch).values()
    assert data.images.shape[0] == 2
    assert target.context.layout.unlabelled == 0
    result = stepped(one, batch)
    assert result["pseudo"] == 0
    assert float(result["loss"]) == pytest.approx(result["supervised"], abs=1e-6)


def test_in_the_middle_the_network_labels_all_unlabelled_scans(root):
    one = started("SelfTrainingTrainer")
    hidden = {*entry(root, CT)["unlabelled"]}
    one.current_epoch = 0
    one.on_train_epoch_start()
    assert not one.propagated_folder.exists()
    one.current_epoch = one.num_epochs // 2
    one.on_train_epoch_start()
    assert {file.stem for file in one.propagated_folder.iterdir()} == hidden
    case = sorted(hidden)[0]
    scans = one.hidden_scans()
    found = scans.labels_of(case)[:]
    assert set(np.unique(found)) <= set(range(one.classes))
    one.set_deep_supervision_enabled(False)
    one.network.eval()
    image = torch.from_numpy(scans.load_case(case)[0][:])
    assert found.shape == (1, *image.shape[1:])
    if all(size <= patch for size, patch in zip(image.shape[1:], PATCH, strict=True)):
        pad = [(patch - size) // 2 for size, patch in zip(image.shape[1:], PATCH, strict=True)]
        whole = torch.zeros(1, 1, *PATCH)
        box = tuple(slice(p, p + size) for p, size in zip(pad, image.shape[1:], strict=True))
        whole[0, 0][box] = image[0]
        with torch.no_grad():
            expected = one.module(whole)[0].argmax(0)[box].numpy()
        assert (expected == found[0]).mean() > 0.95  # nnU-Net pads likewise, and rounds to half precision

    before = label_file(one.propagated_folder, case).stat().st_mtime_ns
    one.labelled = False
    one.on_train_epoch_start()  # as after a restart
    assert label_file(one.propagated_folder, case).stat().st_mtime_ns == before
    one.on_train_end()
    assert not one.propagated_folder.exists()


def test_then_these_labels_count_like_annotations(root):
    one = started("SelfTrainingTrainer")
    one.on_train_epoch_start()
    batch = next(one.dataloader_train)
    assert (batch["target"][0][2] < one.classes).all()
    result = stepped(one, batch)
    assert set(result) == {"loss", "supervised", "pseudo"}
    assert float(result["loss"]) == pytest.approx(result["supervised"] + result["pseudo"], abs=1e-4)

    data, (labels, context) = one.prepare(batch).values()
    output = one.network(data)
    terms = one.loss.compute(output, labels, context)
    own = one.loss.supervised([scale[2:] for scale in output.logits], [scale[2:] for scale in labels])
    torch.testing.assert_close(terms["pseudo"], own)
    (unet,) = one.module.unets
    for term in terms.values():
        for part in (unet.encoder, unet.decoder.stages, unet.decoder.seg_layers[-1]):
            assert gradients(term, part) > 0


def test_where_a_scan_was_loaded_before_it_had_labels_nothing_is_taught(root):
    one = started("SelfTrainingTrainer")
    one.labelled = True
    batch = next(one.dataloader_train)
    assert (batch["target"][0][2] == UNKNOWN).any()
    for scale in batch["target"]:
        scale[2] = UNKNOWN
    data, (labels, context) = one.prepare(batch).values()
    term = one.loss.compute(one.network(data), labels, context)["pseudo"]
    assert gradients(term, one.module) == 0


def test_the_twin_has_random_organ_contrast(root):
    plain, twin = (
        trainer(f"SelfTrainingTrainer{suffix}").hyperparameters.as_plans() for suffix in ("", "OrganContrast")
    )
    assert (plain.pop("organ_contrast"), twin.pop("organ_contrast")) == (0.0, 1.5)
    assert plain == twin


def test_no_scan_with_annotations_gets_pseudo_labels(root):
    annotate_all(root)
    one = started("SelfTrainingTrainer", fold=1)
    one.on_train_epoch_start()
    assert not one.propagated_folder.exists()
    batch = next(one.dataloader_train)
    assert set(batch["keys"]) <= set(entry(root, CT, 1)["train"])
    assert len(batch["keys"]) == 2
    assert stepped(one, batch)["pseudo"] == 0
