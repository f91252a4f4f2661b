import pytest
import torch

from mass_nnunet.registration.atlas import AtlasBank

PATCH = (4, 8, 8)


def bank() -> AtlasBank:
    return AtlasBank(modalities=2, capacity=3, channels=1, classes=3, patch=PATCH)


def test_atlases_are_returned_as_they_were_put_in():
    atlases = bank()
    image, label = torch.rand(1, *PATCH).half().float(), torch.randint(0, 3, PATCH)
    atlases.put(1, [image], [label])
    assert atlases.count.tolist() == [0, 1]
    torch.testing.assert_close(atlases.images_of(1), image[None])
    assert torch.equal(atlases.labels_of(1).argmax(1)[0], label)
    assert len(atlases.images_of(0)) == 0


def test_an_atlas_with_fewer_channels_is_followed_by_zeros():
    atlases = AtlasBank(modalities=1, capacity=1, channels=3, classes=3, patch=PATCH)
    atlases.put(0, [torch.ones(3, *PATCH)], [torch.zeros(PATCH)])
    atlases.put(0, [torch.ones(2, *PATCH)], [torch.zeros(PATCH)])
    assert atlases.images_of(0)[0, :, 0, 0, 0].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="shape"):
        atlases.put(0, [torch.ones(4, *PATCH)], [torch.zeros(PATCH)])


def test_templates_come_after_the_annotated_atlases():
    atlases = bank()
    images = [torch.full((1, *PATCH), float(i)) for i in range(3)]
    atlases.put(1, images[:1], [torch.full(PATCH, 1)])
    atlases.put_templates(1, images[1:], [torch.full(PATCH, 2)] * 2)
    assert atlases.outlined.tolist() == [0, 1]
    assert torch.equal(atlases.images_of(1), torch.stack(images))
    assert atlases.labels_of(1)[:, :, 0, 0, 0].argmax(1).tolist() == [1, 2, 2]
    atlases.put_templates(1, [], [])
    assert atlases.count.tolist() == [0, 1]


def test_a_modality_can_be_cleared_for_templates_alone():
    atlases = bank()
    for modality in (0, 1):
        atlases.put(modality, [torch.zeros(1, *PATCH)] * 3, [torch.zeros(PATCH)] * 3)
    atlases.clear(1)
    assert (atlases.outlined.tolist(), atlases.count.tolist()) == ([3, 0], [3, 0])
    atlases.put_templates(1, [torch.ones(1, *PATCH)] * 2, [torch.ones(PATCH)] * 2)
    assert (atlases.outlined.tolist(), atlases.count.tolist()) == ([3, 0], [3, 2])
    assert atlases.has_templates
    assert atlases.images_of(1).eq(1).all()


@pytest.mark.parametrize(("count", "message"), [(0, "needs an annotated atlas"), (4, "do not fit")])
def test_a_wrong_number_of_atlases_is_refused(count, message):
    with pytest.raises(ValueError, match=message):
        bank().put(0, [torch.zeros(1, *PATCH)] * count, [torch.zeros(PATCH)] * count)


def test_more_templates_than_places_are_refused():
    atlases = bank()
    atlases.put(0, [torch.zeros(1, *PATCH)], [torch.zeros(PATCH)])
    with pytest.raises(ValueError, match="4 atlases do not fit into a bank of 3"):
        atlases.put_templates(0, [torch.zeros(1, *PATCH)] * 3, [torch.zeros(PATCH)] * 3)


def test_an_atlas_of_another_size_is_refused():
    with pytest.raises(ValueError, match="shape"):
        bank().put(0, [torch.zeros(1, 4, 8, 9)], [torch.zeros(4, 8, 9)])


def test_the_atlas_that_matches_the_scan_decides():
    torch.manual_seed(0)
    atlases = bank()
    scan = torch.randn(1, *PATCH)
    images = [scan, torch.randn(1, *PATCH)]
    atlases.put(0, images, [torch.full(PATCH, 1), torch.full(PATCH, 2)])
    fused = atlases.fuse(0, scan, torch.zeros(2, 3, *PATCH))
    assert fused.shape == (3, *PATCH)
    torch.testing.assert_close(fused.sum(0), torch.ones(PATCH))
    assert (fused[1] > 0.9).float().mean() > 0.9


def test_the_bank_is_part_of_the_state_dict():
    atlases, other = bank(), bank()
    atlases.put(0, [torch.ones(1, *PATCH)], [torch.ones(PATCH)])
    other.load_state_dict(atlases.state_dict())
    assert torch.equal(other.images_of(0), atlases.images_of(0))


def test_beyond_the_border_of_an_atlas_there_is_no_evidence_not_even_of_background():
    atlases = bank()
    atlases.put(0, [torch.rand(1, *PATCH)], [torch.full(PATCH, 2)])
    field = torch.zeros(1, 3, *PATCH)
    field[:, 1] = 3  # the last three rows are taken from beyond the border
    fused = atlases.fuse(0, torch.rand(1, *PATCH), field)
    torch.testing.assert_close(fused[2, :, :5], torch.ones(4, 5, 8))
    assert not fused[:2, :, :5].any()
    assert not fused[:, :, 5:].any()


def test_an_atlas_that_lies_beside_the_patch_leaves_its_share_to_nobody():
    torch.manual_seed(0)
    atlases = bank()
    image, scan = torch.rand(1, *PATCH), torch.rand(1, *PATCH)
    atlases.put(0, [image, image], [torch.full(PATCH, 1), torch.full(PATCH, 2)])
    fields = torch.zeros(2, 3, *PATCH)
    fields[1, 2, ..., 6:] = 2  # as if the second atlas ended there; the images are the same elsewhere
    fused = atlases.fuse(0, scan, fields)
    torch.testing.assert_close(fused.sum(0)[..., :6], torch.ones(4, 8, 6))
    assert not fused[2, ..., 6:].any()
    assert (fused[1, ..., 6:] > 0).all()
    assert (fused[1, ..., 6:] < 1).all()
    torch.testing.assert_close(fused[1, ..., 0], torch.full((4, 8), 0.5))  # far from there, both match as well
