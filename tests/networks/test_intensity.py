import math
from itertools import product

import pytest
import torch
from torch import Tensor

from mass_nnunet.networks.intensity import BINS, NEIGHBOURHOOD, PARZEN, PRIOR, REACH, SHARE, intensity_evidence

SHAPE = (4, 20, 20)


def labelled(labels: Tensor, confidence: float = 1.0, classes: int = 3) -> Tensor:
    """Probabilities (K, Z, Y, X): a given value for each voxel's label, the rest shared by the other classes."""
    hot = torch.nn.functional.one_hot(labels, classes).movedim(-1, 0).float()
    return confidence * hot + (1 - confidence) * (1 - hot) / (classes - 1)


def blocks() -> tuple[Tensor, Tensor]:
    """Labels (Z, Y, X) of two organs and background, and an image with one intensity for each of the three."""
    labels = torch.zeros(SHAPE, dtype=torch.long)
    labels[:, 2:10, 2:10], labels[:, 12:18, 4:16] = 1, 2
    return labels, torch.tensor([0.0, 3.0, -2.0])[labels]


def test_agrees_with_a_density_computed_voxel_by_voxel():
    torch.manual_seed(0)
    depth, height, width = shape = (2, 3, 12)
    logits = 4 * torch.randn(3, *shape)
    logits[0, ..., 6:] += 8.0  # there all is background, some of which is not near the organs
    logits[2] -= 3.0
    probabilities, image = logits.softmax(0), torch.randn(shape)
    organs = (1 - probabilities[0]).flatten().tolist()
    grays = image.flatten().tolist()
    mean = sum(w * g for w, g in zip(organs, grays, strict=True)) / sum(organs)
    standard_deviation = math.sqrt(sum(w * (g - mean) ** 2 for w, g in zip(organs, grays, strict=True)) / sum(organs))
    place = [min(max((g - mean) / (REACH * standard_deviation), -1), 1) for g in grays]
    bins = [round((p + 1) / 2 * (BINS - 1)) for p in place]

    def kernel(center: int, at: int) -> float:
        total = sum(math.exp(-0.5 * ((center - b) / PARZEN) ** 2) for b in range(BINS))
        return math.exp(-0.5 * ((center - at) / PARZEN) ** 2) / total

    def near(share: Tensor, x: int) -> float:
        column = x % width  # the cube reaches across the short axes
        around = share[..., max(column - NEIGHBOURHOOD // 2, 0) : column + NEIGHBOURHOOD // 2 + 1]
        return min(around.mean().item() / SHARE, 1)

    evidence = intensity_evidence(probabilities, image, PRIOR)
    voxels = range(depth * height * width)
    surrounding = [near(1 - probabilities[0], x) for x in voxels]
    assert min(surrounding) < 0.5
    assert max(surrounding) == 1
    gates = []
    for k, (x, at) in product(range(3), enumerate(bins)):
        shares = probabilities[k].flatten().tolist()
        if k == 0:
            shares = [w * n for w, n in zip(shares, surrounding, strict=True)]
        mass = sum(w * kernel(b, at) for w, b in zip(shares, bins, strict=True))
        gates.append(near(probabilities[k], x))
        expected = gates[-1] * math.log(1 + BINS * mass / (sum(shares) + PRIOR))
        assert evidence[k].flatten()[x].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert min(gates) < 0.9 and max(gates) == 1


def test_an_organ_does_not_grow_into_similar_surroundings():
    """This holds for any size of the image, although few voxels of the whole background have these intensities."""
    labels = torch.zeros(8, 48, 48, dtype=torch.long)
    labels[2:6, 18:30, 18:30] = 1
    image = torch.zeros(labels.shape)
    image[1:7, 15:33, 15:33] = 2.0
    image[labels == 1] = 3.0
    image += 0.4 * torch.randn(labels.shape, generator=torch.Generator().manual_seed(0))
    probabilities = labelled(labels, 0.95, classes=2)
    found = (probabilities.log() + 4 * intensity_evidence(probabilities, image, PRIOR)).argmax(0)
    assert found.sum() < 1.06 * labels.sum()


def test_voxels_on_the_wrong_side_of_a_border_come_back():
    labels, image = blocks()
    shifted = labelled(labels.roll(1, dims=2), 0.9)
    assert (shifted.argmax(0) != labels).float().mean() > 0.03
    assert torch.equal((shifted.log() + 3 * intensity_evidence(shifted, image, PRIOR)).argmax(0), labels)


def test_voxels_like_an_organ_but_far_from_it_get_no_evidence():
    labels, image = blocks()
    image[:, 2:6, 14:18] = 3.0  # as gray as organ 1, some voxels of which there are by mistake
    probabilities = labelled(labels, 0.96)
    evidence = intensity_evidence(probabilities, image, PRIOR)
    assert evidence[1, 1, 4, 4] > 1
    assert evidence[1, 1, 4, 16] < 0.1 * evidence[1, 1, 4, 4]


def test_brightness_contrast_and_sign_of_the_image_do_not_matter():
    labels, image = blocks()
    image = image + 0.5 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    probabilities = labelled(labels, 0.8)
    evidence = intensity_evidence(probabilities, image, PRIOR)
    torch.testing.assert_close(
        intensity_evidence(probabilities, 40 * image + 1000, PRIOR), evidence, atol=0.05, rtol=0.05
    )
    torch.testing.assert_close(intensity_evidence(probabilities, -image, PRIOR), evidence, atol=0.05, rtol=0.05)


def test_an_outlier_far_from_the_organs_changes_nothing_of_the_others():
    labels, image = blocks()
    probabilities = labelled(labels)
    evidence = intensity_evidence(probabilities, image, PRIOR)
    image[0, 0, 0] = 1e6
    after = intensity_evidence(probabilities, image, PRIOR)
    torch.testing.assert_close(after[:, 1:], evidence[:, 1:], atol=0.01, rtol=0)


def test_a_class_of_which_there_is_nothing_has_no_evidence_and_one_of_a_few_voxels_little():
    labels, image = blocks()
    probabilities = labelled(labels, classes=5)
    few = probabilities.clone()
    few[:, 0, 2, 2], few[3, 0, 2, 2] = 0, 1  # one voxel of class 3 within organ 1
    assert not intensity_evidence(probabilities, image, PRIOR)[3:].any()
    evidence = intensity_evidence(few, image, PRIOR)
    assert 0 < evidence[3, 0, 2, 2] < 0.5 * evidence[1, 0, 2, 2]


def test_the_density_of_a_class_is_halved_where_it_has_as_many_voxels_as_the_prior():
    labels, image = blocks()
    probabilities = labelled(labels)
    volume = int((labels == 1).sum())
    without, halved = (intensity_evidence(probabilities, image, prior)[1, 1, 5, 5] for prior in (0.0, volume))
    torch.testing.assert_close(halved.expm1(), without.expm1() / 2)


@pytest.mark.parametrize("image", [torch.zeros(SHAPE), torch.randn(SHAPE)], ids=["constant", "noise"])
def test_a_scan_without_organs_or_contrast_is_finite(image):
    nothing = labelled(torch.zeros(SHAPE, dtype=torch.long))
    evidence = intensity_evidence(nothing, image, PRIOR)
    assert evidence.isfinite().all()
    assert not evidence[1:].any()
    assert intensity_evidence(labelled(blocks()[0]), image, PRIOR).isfinite().all()


def test_precision_is_float32_under_autocast_and_of_half_precision_inputs():
    labels, image = blocks()
    probabilities = labelled(labels, 0.75)
    with torch.autocast("cpu", torch.bfloat16):
        evidence = intensity_evidence(probabilities.bfloat16(), image.half(), PRIOR)
    assert evidence.dtype == torch.float32
    torch.testing.assert_close(evidence, intensity_evidence(probabilities.bfloat16().float(), image, PRIOR))
