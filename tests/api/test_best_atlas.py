"""The atlas that is shown is the one that matches best, deformed by its own field."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mass_nnunet.api.best_atlas import register_best
from mass_nnunet.registration.atlas import AtlasBank
from mass_nnunet.registration.fields import warp

PATCH = (8, 16, 16)


def scan(seed):
    """A scan (C, Z, Y, X) of the size of the patch."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(1, *PATCH)).astype(np.float32)).half().float()


def labels(value):
    """A label map (Z, Y, X) with one organ."""
    array = np.zeros(PATCH, np.int64)
    array[2:6, 4:12, 4:12] = value
    return array


def network(images, maps, fields, templates=()):
    """A stand-in that registers atlases by given fields (A, 3, Z, Y, X)."""
    bank = AtlasBank(2, 4, 1, 3, PATCH)
    bank.put(1, images, [torch.from_numpy(array) for array in maps])
    if templates:
        bank.put_templates(1, templates, [torch.from_numpy(labels(1))] * len(templates))
    weight = torch.zeros(1)
    return SimpleNamespace(
        atlases=bank, active=[1], parameters=lambda: iter([weight]), register=lambda target: torch.stack(fields)
    )


def test_the_most_similar_atlas_is_taken_with_its_field():
    target, shift = scan(0), torch.zeros(3, *PATCH)
    shift[2] = 3.0
    atlas = torch.roll(target, 3, -1)  # atlas(p + 3) = target(p), but for the border
    still = torch.zeros(3, *PATCH)
    found = register_best(network([scan(1), atlas], [labels(1), labels(2)], [still, shift]), target, labels(2), PATCH)
    np.testing.assert_array_equal(found.atlas, atlas[0])
    np.testing.assert_array_equal(found.target, target[0])
    np.testing.assert_allclose(found.warped[..., :-3], target[0, ..., :-3], atol=1e-5)
    np.testing.assert_array_equal(found.field, shift)
    np.testing.assert_array_equal(found.atlas_labels, labels(2))
    np.testing.assert_array_equal(found.target_labels, labels(2))
    one_hot = torch.from_numpy(np.eye(3, dtype=np.float32)[labels(2)]).permute(3, 0, 1, 2)
    np.testing.assert_allclose(found.warped_labels, warp(one_hot[None], shift[None])[0], atol=1e-6)


def test_templates_are_not_shown():
    target, still = scan(0), torch.zeros(3, *PATCH)
    found = register_best(network([scan(1)], [labels(1)], [still, still], [target]), target, labels(1), PATCH)
    np.testing.assert_array_equal(found.atlas, scan(1)[0])


def test_templates_are_shown_where_no_atlas_is_annotated():
    target, still = scan(0), torch.zeros(3, *PATCH)
    of_templates = network([scan(1)], [labels(1)], [still, still], templates=[scan(2), target])
    of_templates.atlases.clear(1)
    of_templates.atlases.put_templates(1, [scan(2), target], [torch.from_numpy(labels(1))] * 2)
    np.testing.assert_array_equal(register_best(of_templates, target, labels(1), PATCH).atlas, target[0])


def test_the_patch_is_the_one_around_the_organs():
    target = torch.zeros(1, 12, 40, 40)
    target[:, 3:11, 20:36, 21:37] = scan(0)
    around = np.zeros((12, 40, 40), np.int64)
    around[5:9, 24:32, 25:33] = 1
    found = register_best(network([scan(0)], [labels(1)], [torch.zeros(3, *PATCH)]), target, around, PATCH)
    np.testing.assert_array_equal(found.target, scan(0)[0])
    assert found.target_labels.sum() == around.sum()


def test_a_network_without_atlases_is_refused():
    with pytest.raises(ValueError, match="no atlases"):
        register_best(SimpleNamespace(atlases=None), scan(0), labels(1), PATCH)
