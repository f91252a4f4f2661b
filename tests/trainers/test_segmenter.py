"""Labels of whole scans by a network in training, on networks of a few lines; a trained group: test_propagation.py."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.trainers.segmenter import find_organs, predicting, segmenter
from method_checks import PATCH
from tiny_group import trainer

CPU = torch.device("cpu")


def test_a_network_predicts_for_one_modality_and_then_goes_on_as_before():
    network = SimpleNamespace(active=(0, 1), inference="fused")
    with pytest.raises(KeyError), predicting(network, 1, "atlas", CPU):
        assert (network.active, network.inference) == ((1,), "atlas")
        assert not torch.is_grad_enabled()
        assert not torch.is_autocast_enabled("cpu")
        raise KeyError
    assert (network.active, network.inference) == ((0, 1), "fused")
    assert torch.is_grad_enabled()


def test_a_scan_larger_than_a_patch_is_labelled_by_the_head_of_its_modality(root):
    mass = trainer("MASSTrainer")
    mass.initialize()
    mass.set_deep_supervision_enabled(False)
    network = mass.module.eval()
    scan = np.random.default_rng(0).normal(size=(1, PATCH[0], *(2 * size for size in PATCH[1:]))).astype(np.float32)
    found = [segmenter(mass, network, modality)(scan) for modality in (0, 1)]
    assert all(labels.shape == scan.shape[1:] for labels in found)
    assert (found[0] != found[1]).any()
    # Here one patch alone says what is where, and not at its border, where nnU-Net's half precision is too coarse.
    inside = np.s_[2 : PATCH[0] - 2, 4 : PATCH[1] // 2, 4 : PATCH[2] // 2]
    patch = torch.from_numpy(scan[:, :, : PATCH[1], : PATCH[2]])[None]
    for modality, labels in enumerate(found):
        with predicting(network, modality, "segmentation", CPU):
            expected = network(patch)[0].argmax(0).numpy()
        assert (labels[inside] == expected[inside]).mean() > 0.95


def scans(image: np.ndarray, known: np.ndarray) -> SimpleNamespace:
    """An unlabelled dataset of one scan (C, Z, Y, X), of whose labels (1, Z, Y, X) this is known."""
    return SimpleNamespace(load_case=lambda _: (image, known, None, {}), labels_of=lambda _: known)


def test_where_no_organ_can_be_none_is_found():
    image = np.zeros((1, 2, 3, 4), np.float32)
    known = np.full(image.shape, UNKNOWN, np.int16)
    known[..., 2:] = ELSEWHERE
    scan, labels = find_organs(lambda scan: np.full(scan.shape[1:], 3), scans(image, known), "a")
    assert np.array_equal(scan, image)
    assert (labels[..., :2] == 3).all()
    assert not labels[..., 2:].any()


def test_a_scan_with_a_voxel_that_is_not_finite_is_named():
    image = np.full((1, 2, 3, 4), np.nan, np.float32)
    with pytest.raises(SystemExit, match="case_7"):
        find_organs(lambda scan: scan[0], scans(image, np.zeros(image.shape)), "case_7")
