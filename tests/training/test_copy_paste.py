import numpy as np
import pytest
import scipy.ndimage
import torch

from mass_nnunet.training.copy_paste import connected_components, cut_mix, largest_components, random_boxes


def test_boxes_have_two_thirds_of_the_sides_and_lie_anywhere():
    torch.manual_seed(0)
    boxes = random_boxes(200, (6, 9, 12), torch.device("cpu"))
    assert boxes.shape == (200, 1, 6, 9, 12)
    assert (boxes.flatten(1).sum(1) == 4 * 6 * 8).all()
    for axis, (size, side) in enumerate(((6, 4), (9, 6), (12, 8))):
        others = [1, *(2 + a for a in range(3) if a != axis)]
        along = boxes.any(dim=others[0]).any(dim=others[1] - 1).any(dim=others[2] - 2)  # (200, size)
        assert (along.sum(1) == side).all()
        first = along.float().argmax(1)
        assert (along.gather(1, (first + side - 1)[:, None])).all()  # in one piece
        assert set(first.tolist()) == set(range(size - side + 1))


def test_a_flat_patch_has_a_box():
    assert random_boxes(1, (1, 3, 3), torch.device("cpu")).sum() == 4


def test_in_its_box_a_scan_of_a_view_shows_the_one_before_it():
    views = torch.arange(6.0).view(2, 3, 1, 1, 1, 1).expand(2, 3, 2, 1, 1, 4)
    boxes = torch.zeros(2, 3, 1, 1, 1, 4, dtype=torch.bool)
    boxes[0, 0, ..., :2] = boxes[1, 2, ..., 3:] = True
    expected = views.clone()
    expected[0, 0, ..., :2] = 2
    expected[1, 2, ..., 3:] = 4
    assert torch.equal(cut_mix(views, boxes), expected)


def test_of_each_organ_the_largest_component_is_left():
    labels = torch.zeros(2, 1, 4, 8, 8, dtype=torch.int16)
    labels[0, 0, :, :3, :3] = 1  # 36 voxels
    labels[0, 0, :2, 6:, 6:] = 1  # 8 voxels
    labels[0, 0, 2:, 6:, 6:] = 2
    labels[1, 0, 0, 0, 0] = 1
    labels[1, 0, 1, 1, 1] = 1  # touches by a corner alone, which is no connection
    labels[1, 0, 2, 1, 1] = 1
    expected = labels.clone()
    expected[0, 0, :2, 6:, 6:] = 0
    expected[1, 0, 0, 0, 0] = 0
    found = largest_components(labels, 4)
    assert torch.equal(found, expected)
    assert found.dtype == labels.dtype


def maze() -> torch.Tensor:
    """One path through all rows of all slices."""
    path = torch.zeros(1, 1, 7, 31, 31, dtype=torch.int16)
    path[:, :, ::2, ::2] = 1
    path[:, :, ::2, 1::4, -1] = path[:, :, ::2, 3::4, 0] = 1
    path[:, :, 1::4, -1, 0] = path[:, :, 3::4, 0, 0] = 1
    return path


def noise(classes: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(classes)
    return torch.randint(classes, (2, 1, 6, 20, 20), generator=generator, dtype=torch.int16)


@pytest.mark.parametrize("labels", [maze(), maze().flip(2, 3, 4), maze().mT.contiguous(), noise(2), noise(3), noise(6)])
def test_components_are_those_of_scipy(labels):
    found = connected_components(labels)[:, 0].numpy()
    for scan, its_components in zip(labels[:, 0].numpy(), found, strict=True):
        for k in np.unique(scan[scan > 0]):
            expected, count = scipy.ndimage.label(scan == k)
            pairs = {*zip(expected[scan == k].tolist(), its_components[scan == k].tolist(), strict=True)}
            assert len(pairs) == count == len({component for _, component in pairs})


def test_of_equally_large_components_the_first_is_left():
    labels = torch.tensor([0, 1, 1, 0, 1, 1, 0, 1], dtype=torch.int16).view(1, 1, 1, 1, 8)
    assert largest_components(labels, 2).flatten().tolist() == [0, 1, 1, 0, 0, 0, 0, 0]
