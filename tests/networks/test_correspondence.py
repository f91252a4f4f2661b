import torch

from mass_nnunet.losses.similarity import local_correlation_loss
from mass_nnunet.networks.correspondence import REACH, CorrespondenceHead, ResidualField
from mass_nnunet.registration.fields import upsample, warp

SHAPES = [(4, 4, 4), (4, 8, 8), (8, 16, 16)]


def features(seed: int, count: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((count, c, *s), generator=generator) for c, s in zip((8, 8, 4), SHAPES, strict=True)]


def nowhere(count: int = 2) -> torch.Tensor:
    """The start of fields that begin with zero."""
    return torch.zeros(count, 3)


def test_starts_close_to_the_identity_at_the_finest_scale():
    torch.manual_seed(0)
    head = CorrespondenceHead([8, 8, 4], 16)
    field = head(head.project(features(0)), head.project(features(1)), nowhere())
    assert field.shape == (2, 3, 8, 16, 16)
    assert field.abs().mean() < 0.25  # voxels


def test_a_target_of_several_atlases_is_as_good_as_repeated():
    torch.manual_seed(0)
    head = CorrespondenceHead([8, 8, 4], 16)
    atlases, targets = head.project(features(0, count=6)), head.project(features(1))
    repeated = [torch.cat([f, f, f]) for f in targets]
    start = torch.randn(6, 3)
    assert torch.allclose(head(atlases, targets, start), head(atlases, repeated, start), atol=1e-5)


def test_a_field_starts_from_its_translation():
    head = CorrespondenceHead([8, 8, 4], 16)
    for residual in head.residuals:
        torch.nn.init.zeros_(residual.field.weight)
        torch.nn.init.zeros_(residual.field.bias)
    start = torch.tensor([[1.0, 0.0, -2.0], [0.0, 0.5, 0.0]])
    field = head(head.project(features(0)), head.project(features(1)), start)
    # From 4 x 4 x 4 to 8 x 16 x 16 voxels.
    expected = (start * torch.tensor([2.0, 4.0, 4.0])).view(2, 3, 1, 1, 1).expand_as(field)
    torch.testing.assert_close(field, expected)


def test_a_residual_sees_the_atlas_where_the_translation_lays_it():
    torch.manual_seed(0)
    head = CorrespondenceHead([8, 8, 4], 16)
    atlases, targets = head.project(features(0)), head.project(features(1))
    start = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 1.0]])
    whole = [upsample(start.view(2, 3, 1, 1, 1).expand(-1, -1, *SHAPES[0]), shape) for shape in SHAPES]
    first = head.residuals[0](warp(atlases[0], whole[0]), targets[0])
    assert not torch.allclose(first, head.residuals[0](atlases[0], targets[0]), atol=1e-2)
    for residual in head.residuals[1:]:
        torch.nn.init.zeros_(residual.field.weight)
        torch.nn.init.zeros_(residual.field.bias)
    expected = upsample(upsample(whole[0] + first, SHAPES[1]), SHAPES[2])
    torch.testing.assert_close(head(atlases, targets, start), expected, atol=1e-5, rtol=1e-5)


def test_a_residual_is_that_of_the_concatenated_pair():
    torch.manual_seed(0)
    residual = ResidualField(16)
    atlas, target = torch.randn(2, 16, 4, 6, 6), torch.randn(2, 16, 4, 6, 6)
    expected = residual.field(residual.layers(torch.cat([atlas, target], dim=1)))
    assert torch.allclose(residual(atlas, target), REACH * torch.tanh(expected / REACH), atol=1e-5)


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    head = CorrespondenceHead([8, 8, 4], 16)
    head(head.project(features(0)), head.project(features(1)), nowhere()).square().mean().backward()
    without = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The bias before an instance normalization has no effect.
    assert [name for name in without if not name.endswith("layers.0.bias")] == []


def test_learns_to_undo_a_shift():
    torch.manual_seed(0)
    coarse = torch.rand(1, 1, 4, 6, 6)
    atlas = torch.nn.functional.interpolate(coarse, (8, 16, 16), mode="trilinear")
    target = atlas.roll(-2, dims=4)
    head = CorrespondenceHead([1, 1], 16)
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    pyramid = [[torch.nn.functional.avg_pool3d(v, (1, 2, 2)), v] for v in (atlas, target)]
    for _ in range(60):
        field = head(*[head.project(levels) for levels in pyramid], nowhere(1))
        loss = local_correlation_loss(warp(atlas, field), target, 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * local_correlation_loss(atlas, target, 5).item()
    assert abs(field[0, 2, 2:-2, 4:-4, 4:-4].median().item() - 2) < 0.2  # voxels along x


def test_a_wild_step_cannot_throw_the_field_out():
    head = CorrespondenceHead([8, 8, 4], 16)
    for residual in head.residuals:
        torch.nn.init.normal_(residual.field.weight, std=100)
    field = head(head.project(features(0)), head.project(features(1)), nowhere())
    assert field.abs().max() <= REACH * (1 + 2 + 4)
