import pytest
import torch

from mass_nnunet.losses.deformation import diffusion_loss, folding_penalty
from mass_nnunet.losses.similarity import local_correlation_loss
from mass_nnunet.registration.fields import folding, jacobian_determinant, upsample, voxel_grid, warp
from mass_nnunet.registration.refinement import FOLDING, SMOOTHNESS, refine

SHAPE, COARSE = (8, 24, 24), (4, 12, 12)


def blobs() -> torch.Tensor:
    """A smooth random image (1, 1, Z, Y, X)."""
    generator = torch.Generator().manual_seed(0)
    return upsample(torch.randn((1, 3, 4, 8, 8), generator=generator), SHAPE)[:, :1]


def shift(voxels: float) -> torch.Tensor:
    """The coarse field (1, 3, Z', Y', X') of a shift along y by so many voxels of the images."""
    field = torch.zeros(1, 3, *COARSE)
    field[:, 1] = voxels / 2
    return field


def objective(fields: torch.Tensor, atlases: torch.Tensor, scan: torch.Tensor) -> float:
    similarity = local_correlation_loss(warp(atlases, upsample(fields, SHAPE)), scan)
    folded = folding_penalty(jacobian_determinant(fields))
    return float(similarity + SMOOTHNESS * diffusion_loss(fields) + FOLDING * folded)


def test_finds_a_known_shift():
    atlas = blobs()
    scan = warp(atlas, upsample(shift(1.5), SHAPE))
    found = refine(torch.zeros(1, 3, *COARSE), atlas, scan, 60)
    inside = found[0, :, 1:-1, 2:-2, 2:-2]
    assert found.dtype == torch.float32
    torch.testing.assert_close(inside[1].mean(), torch.tensor(0.75), atol=0.1, rtol=0)
    assert inside[[0, 2]].abs().mean() < 0.1


def test_each_atlas_has_its_own_field():
    image = blobs()
    scan = warp(image, upsample(shift(1.0), SHAPE))
    atlases = torch.cat([image, image.flip(4)])
    together = refine(torch.zeros(2, 3, *COARSE), atlases, scan, 5)
    for i in range(2):
        alone = refine(torch.zeros(1, 3, *COARSE), atlases[i : i + 1], scan, 5)
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_the_objective_falls_and_a_fold_is_undone():
    torch.manual_seed(0)
    atlas = blobs()
    scan = warp(atlas, upsample(shift(1.0), SHAPE))
    begin = shift(1.0) + 1.0 * torch.randn(1, 3, *COARSE)
    assert folding(jacobian_determinant(begin)) > 0.1
    end = refine(begin, atlas, scan, 60)
    assert objective(end, atlas, scan) < 0.2 * objective(begin, atlas, scan)
    assert folding(jacobian_determinant(end)) < 0.01


def test_without_steps_it_is_what_it_was():
    fields = torch.randn(2, 3, *COARSE)
    assert torch.equal(refine(fields, blobs().repeat(2, 1, 1, 1, 1), blobs(), 0), fields)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_works_where_prediction_does_and_changes_nothing_else(mode):
    network = torch.nn.Conv3d(1, 3, 3, stride=2, padding=1)
    with mode():
        atlas, scan = blobs() + 0, blobs().flip(3)
        before = network(atlas)
        after = refine(before, atlas, scan, 2)
    assert not torch.equal(before, after)
    assert torch.equal(before, network(blobs()).detach())
    assert all(p.grad is None for p in network.parameters())
    assert not after.requires_grad


def test_only_the_first_channel_counts():
    atlas, scan = blobs(), warp(blobs(), upsample(shift(1.0), SHAPE))
    more = torch.cat([atlas, torch.randn_like(atlas)], 1), torch.cat([scan, torch.randn_like(scan)], 1)
    torch.testing.assert_close(
        refine(torch.zeros(1, 3, *COARSE), *more, 3), refine(torch.zeros(1, 3, *COARSE), atlas, scan, 3)
    )


def test_what_an_atlas_does_not_show_pulls_at_nothing():
    """Where the atlas ends, the scan may go on as it likes."""
    atlas, begin = blobs(), shift(8.0)  # the last eight rows of the scan are beyond the atlas
    scan = warp(atlas, upsample(shift(9.0), SHAPE))
    other = scan.clone()
    other[..., -4:, :] = torch.randn(1, 1, 8, 4, 24)  # no window of a row that the atlas shows reaches it
    assert torch.equal(refine(begin, atlas, scan, 5), refine(begin, atlas, other, 5))
    other[..., 8:, :] = torch.randn(1, 1, 8, 16, 24)
    assert not torch.equal(refine(begin, atlas, scan, 5), refine(begin, atlas, other, 5))


def test_an_atlas_beside_the_scan_stays_where_it_is():
    torch.testing.assert_close(refine(shift(30.0), blobs(), blobs().flip(3), 3), shift(30.0))


def test_the_field_of_the_test_is_what_it_claims():
    position = voxel_grid(SHAPE, torch.device("cpu")) + upsample(shift(1.5), SHAPE)
    torch.testing.assert_close(position[0, 1, 0, :, 0], torch.arange(24) + 1.5)
