import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.losses import LocalNormalizedCrossCorrelationLoss

from mass_nnunet.hyperparameters import CHOICES
from mass_nnunet.losses import similarity
from mass_nnunet.losses.similarity import SIMILARITIES
from mass_nnunet.registration.fields import warp

SHAPE = (6, 8, 8)


def smooth_image(seed: int = 0) -> torch.Tensor:
    """Blobs in (1, 1, 8, 16, 16)."""
    coarse = torch.rand((1, 1, 4, 6, 6), generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (8, 16, 16), mode="trilinear")


def shifted(image: torch.Tensor, voxels: float) -> torch.Tensor:
    field = torch.zeros(1, 3, *image.shape[2:])
    field[:, 2] = voxels
    return warp(image, field)


def test_box_mean_is_cut_off_at_the_border():
    volume = torch.rand(1, 2, 5, 6, 7)
    mean = similarity.box_mean(volume, 3)
    torch.testing.assert_close(mean[..., 2, 3, 4], volume[..., 1:4, 2:5, 3:6].mean((2, 3, 4)))
    torch.testing.assert_close(mean[..., 0, 0, 0], volume[..., :2, :2, :2].mean((2, 3, 4)))


def test_local_correlation_does_not_see_brightness_and_contrast():
    image = torch.randn(1, 1, *SHAPE)
    assert float(similarity.local_correlation_loss(image, 3 * image + 7)) == pytest.approx(0, abs=1e-3)
    assert float(similarity.local_correlation_loss(image, -image)) == pytest.approx(0, abs=1e-3)


def test_local_correlation_agrees_with_monai_inside():
    torch.manual_seed(0)
    a, b = torch.rand(1, 1, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)
    # MONAI pads with zeros, so the maps agree where the window is inside: compare its loss on the image that a window
    # of 3 sees wholly, through a direct computation at one voxel.
    z = y = x = 8
    wa, wb = (v[0, 0, z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2].flatten() for v in (a, b))
    expected = torch.corrcoef(torch.stack([wa, wb]))[0, 1] ** 2
    assert float(similarity.local_correlation(a, b, 3)[0, 0, z, y, x]) == pytest.approx(float(expected), abs=5e-3)
    ours = similarity.local_correlation(a, b, 3)[..., 1:-1, 1:-1, 1:-1]
    monai = LocalNormalizedCrossCorrelationLoss(kernel_size=3, reduction="none", smooth_nr=0, smooth_dr=1e-5)(a, b)
    torch.testing.assert_close(ours, -monai[..., 1:-1, 1:-1, 1:-1], atol=0.02, rtol=0.02)


def test_squared_difference():
    image = torch.randn(2, 1, *SHAPE)
    assert float(similarity.squared_difference_loss(image, image + 3)) == pytest.approx(9, rel=1e-4)


def test_mutual_information_in_narrow_windows_is_that_of_a_histogram():
    a = smooth_image(0)
    b = a.square() + 0.3 * smooth_image(1)
    bins = 12
    edges = (np.arange(bins + 1) - 0.5) / (bins - 1)  # the middles between the centres
    unit = [((x - x.min()) / (x.max() - x.min())).flatten().numpy() for x in (a, b)]
    joint = np.histogram2d(*unit, bins=[edges, edges])[0] / a.numel()

    def entropy(p: np.ndarray) -> float:
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    expected = (entropy(joint.sum(0)) + entropy(joint.sum(1))) / entropy(joint)
    assert 1.05 < expected < 1.95
    loss = similarity.mutual_information_loss(a, b, bins, width=1e-3)
    assert float(loss) == pytest.approx(2 - expected, abs=1e-4)


def test_mutual_information_of_an_image_with_itself_and_with_noise():
    image = smooth_image()
    assert float(similarity.mutual_information_loss(image, image, width=1e-3)) == pytest.approx(0, abs=1e-4)
    many = torch.rand(2, 1, 1, 1, 200_000)
    assert float(similarity.mutual_information_loss(many[:1], many[1:], bins=8)) == pytest.approx(1, abs=1e-3)
    constant = torch.ones(1, 1, *SHAPE)
    assert torch.isfinite(similarity.mutual_information_loss(constant, constant))


def test_mutual_information_does_not_see_a_mapping_of_the_intensities():
    levels = torch.randint(0, 6, (1, 1, *SHAPE)).float()
    other = torch.where(torch.rand(levels.shape) < 0.7, levels, torch.randint(0, 6, levels.shape).float())
    expected = similarity.mutual_information_loss(levels, other, bins=64, width=1e-3)
    for mapped in (levels.sqrt(), -levels, levels.exp()):  # rising or falling, the levels stay apart
        loss = similarity.mutual_information_loss(mapped, other, bins=200, width=1e-3)
        assert float(loss) == pytest.approx(float(expected), abs=1e-3)
    assert 0.2 < float(expected) < 0.9


def test_self_similarity_at_a_voxel_by_hand():
    image = torch.rand(1, 1, 7, 7, 7, generator=torch.Generator().manual_seed(0))
    volume = image[0, 0].numpy()
    around = [np.array(face) for face in similarity.FACES]
    pairs = [(p, q) for i, p in enumerate(around) for q in around[i + 1 :] if np.square(p - q).sum() == 2]
    assert len(pairs) == 12

    def patch(centre: np.ndarray) -> np.ndarray:
        z, y, x = centre
        return volume[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2]

    voxel = np.array([3, 3, 3])
    differences = np.array([np.square(patch(voxel + p) - patch(voxel + q)).mean() for p, q in pairs])
    expected = np.exp(-(differences - differences.min()) / differences.mean())
    np.testing.assert_allclose(similarity.self_similarity(image)[0, :, 3, 3, 3].numpy(), expected, rtol=1e-4)


def test_self_similarity_does_not_see_brightness_contrast_and_inversion():
    image = smooth_image()
    for other in (3 * image + 7, -0.5 * image):
        torch.testing.assert_close(
            similarity.self_similarity(image), similarity.self_similarity(other), atol=1e-3, rtol=0
        )
    assert float(similarity.self_similarity_loss(image, 1 - image)) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(similarity.self_similarity(torch.ones(1, 1, *SHAPE))).all()


@pytest.mark.parametrize("name", SIMILARITIES)
def test_least_where_the_images_match_and_the_way_there_goes_down(name):
    loss, image = SIMILARITIES[name], smooth_image()
    values = [float(loss(shifted(image, voxels), image)) for voxels in (0, 0.5, 1, 2)]
    assert values == sorted(values)
    field = torch.full((1, 3, 8, 16, 16), 0.0)
    field[:, 2] = 1.0
    field.requires_grad_()
    loss(warp(image, field), image).backward()
    moved = (field - 0.1 * field.grad / field.grad.abs().max()).detach()
    assert field.grad[:, 2].mean() > 0  # descent goes back
    assert float(loss(warp(image, moved), image)) < values[2]


@pytest.mark.parametrize("name", ["nmi", "mind"])
def test_other_contrasts_are_registered_too(name):
    loss, image = SIMILARITIES[name], smooth_image()
    other = (1 - image).square()
    values = [float(loss(shifted(image, voxels), other)) for voxels in (0, 0.5, 1, 2)]
    assert values == sorted(values)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_computed_in_full_precision_within_autocast(name):
    image = torch.zeros(1, 1, 16, 80, 80)  # more dark voxels than half precision can count
    image[..., :20] = torch.rand((16, 80, 20), generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.float16):  # as nnU-Net computes losses on CUDA
        within = SIMILARITIES[name](image, image.flip(3))
    assert within.item() == SIMILARITIES[name](image, image.flip(3)).item()


def test_every_similarity_may_be_chosen():
    assert CHOICES["similarity"] == tuple(SIMILARITIES)
    assert CHOICES["inter_modal_similarity"] == (None, *SIMILARITIES)
