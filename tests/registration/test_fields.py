import pytest
import torch
from monai.networks.blocks import Warp

from mass_nnunet.registration.fields import downsample, folding, inside, jacobian_determinant, upsample, warp

SHAPE = (6, 8, 10)


def test_zero_displacement_is_the_identity():
    volume = torch.rand(1, 2, *SHAPE)
    torch.testing.assert_close(warp(volume, torch.zeros(1, 3, *SHAPE)), volume, atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_known_shift_pulls_from_the_next_voxel(axis):
    volume = torch.rand(1, 1, *SHAPE)
    field = torch.zeros(1, 3, *SHAPE)
    field[:, axis] = 1
    warped = warp(volume, field)
    expected = volume.roll(-1, dims=axis + 2)
    inside = SHAPE[axis] - 1
    torch.testing.assert_close(
        warped.narrow(axis + 2, 0, inside), expected.narrow(axis + 2, 0, inside), atol=1e-5, rtol=0
    )
    # Beyond the border the border value goes on.
    last = volume.select(axis + 2, -1)
    torch.testing.assert_close(warped.select(axis + 2, -1), last, atol=1e-5, rtol=0)


def test_agrees_with_monai():
    torch.manual_seed(0)
    volume, field = torch.rand(2, 3, *SHAPE), 2 * torch.randn(2, 3, *SHAPE)
    torch.testing.assert_close(warp(volume, field), Warp(padding_mode="border")(volume, field), atol=1e-4, rtol=1e-4)


def test_one_hot_labels_still_sum_to_one():
    labels = torch.nn.functional.one_hot(torch.randint(0, 4, (1, *SHAPE)), 4).movedim(-1, 1)
    warped = warp(labels, 20 * torch.randn(1, 3, *SHAPE))
    torch.testing.assert_close(warped.sum(1), torch.ones(1, *SHAPE))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("shift", "first", "last"), [(0.4, 0, 0), (0.6, 0, 1), (-0.6, 1, 0), (2.0, 0, 2), (-2.6, 3, 0)]
)
def test_beyond_the_border_nothing_is_inside(axis, shift, first, last):
    field = torch.zeros(1, 3, *SHAPE)
    field[:, axis] = shift
    shown = inside(field)
    assert shown.shape == (1, 1, *SHAPE)
    line = shown.movedim(axis + 2, 0).flatten(1)
    expected = torch.ones(SHAPE[axis], dtype=torch.bool)
    expected[:first] = False
    expected[SHAPE[axis] - last :] = False
    assert (line == expected[:, None]).all()


def test_inside_is_where_monai_finds_a_voxel():
    torch.manual_seed(0)
    field = 3 * torch.randn(2, 3, *SHAPE)
    found = Warp(mode="nearest", padding_mode="zeros")(torch.ones(2, 1, *SHAPE), field)
    assert 0.1 < found.mean() < 0.9
    assert torch.equal(inside(field), found > 0)


def test_other_grid_is_refused():
    with pytest.raises(ValueError, match="cannot warp"):
        warp(torch.zeros(1, 1, 4, 4, 4), torch.zeros(1, 3, 4, 4, 5))


def test_field_values_grow_with_the_grid():
    field = torch.ones(1, 3, 4, 4, 4)
    finer = upsample(field, (4, 8, 12))
    assert finer.shape == (1, 3, 4, 8, 12)
    torch.testing.assert_close(finer.mean((0, 2, 3, 4)), torch.tensor([1.0, 2.0, 3.0]))


def test_upsampled_shift_shifts_the_finer_volume_as_far():
    volume = torch.rand(1, 1, 4, 16, 16)
    coarse = torch.zeros(1, 3, 4, 8, 8)
    coarse[:, 1] = 1  # one coarse voxel = two fine ones
    warped = warp(volume, upsample(coarse, (4, 16, 16)))
    torch.testing.assert_close(warped[..., :-2, :], volume[..., 2:, :], atol=1e-5, rtol=0)


def test_downsample_is_the_mean():
    volume = torch.rand(1, 2, 4, 8, 8)
    expected = volume.reshape(1, 2, 4, 4, 2, 4, 2).mean((4, 6))
    torch.testing.assert_close(downsample(volume, (4, 4, 4)), expected)


def test_jacobian_of_a_linear_field_is_its_determinant():
    z, y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in SHAPE], indexing="ij")
    field = torch.stack([0.5 * z + 0.1 * x, -0.25 * y, 0.2 * z])[None]
    matrix = torch.tensor([[1.5, 0, 0.1], [0, 0.75, 0], [0.2, 0, 1]])
    determinant = jacobian_determinant(field)
    assert determinant.shape == (1, 5, 7, 9)
    torch.testing.assert_close(determinant, torch.full_like(determinant, float(torch.linalg.det(matrix))))


def test_folding_counts_where_space_turns_over():
    field = torch.zeros(1, 3, *SHAPE)
    assert folding(jacobian_determinant(field)) == 0
    field[:, 2] = -2 * torch.arange(SHAPE[2])  # x -> -x
    assert folding(jacobian_determinant(field)) == 1
