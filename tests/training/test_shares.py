import torch

from mass_nnunet.batch import Layout
from mass_nnunet.labels import UNKNOWN
from mass_nnunet.losses.overlap import one_hot
from mass_nnunet.registration.fields import downsample, upsample, warp
from mass_nnunet.training.shares import class_shares, known_classes, starting_points

LAYOUT = Layout(2, 2, 1)
FINE, COARSE = (4, 8, 8), (4, 4, 4)


def test_shares_are_those_of_the_labels_and_of_the_pseudo_labels():
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (6, 1, *FINE), dtype=torch.int16)
    labels[[2, 5]] = UNKNOWN
    taught = torch.rand(2, 3, *FINE).softmax(1)
    shares = class_shares(labels, taught.half(), LAYOUT, 3, COARSE)
    assert shares.shape == (6, 3, *COARSE)
    assert shares.dtype == torch.float32
    for scan in (0, 1, 3, 4):
        assert torch.equal(shares[scan : scan + 1], downsample(one_hot(labels[scan : scan + 1], 3), COARSE))
        assert shares[scan, 1, 0, 0, 0] == (labels[scan, 0, 0, :2, :2] == 1).float().mean()
    torch.testing.assert_close(shares[[2, 5]], downsample(taught, COARSE), atol=1e-3, rtol=0)
    torch.testing.assert_close(shares.sum(1), torch.ones(6, *COARSE), atol=2e-3, rtol=0)


def test_without_pseudo_labels_unlabelled_scans_have_no_shares():
    labels = torch.full((6, 1, *FINE), 2)
    shares = class_shares(labels, None, LAYOUT, 3, COARSE)
    assert not shares[[2, 5]].any()
    assert (shares[[0, 1, 3, 4], 2] == 1).all()


def test_each_target_starts_from_where_its_own_two_atlases_lie_on_it():
    """Scan s has its organ at x = places[s]; the targets are 0, 2, 3, 5 and the atlases 1 and 4."""
    places = [0, 3, 5, 6, 1, 4]
    shares = torch.zeros(6, 3, 4, 4, 8)
    for scan, x in enumerate(places):
        shares[scan, 1, 1:3, 1:3, x : x + 2] = 1
    shares[:, 0] = 1 - shares[:, 1]
    start = starting_points(shares, LAYOUT)
    same = [places[1] - places[0], places[1] - places[2], places[4] - places[3], places[4] - places[5]]
    other = [places[4] - places[0], places[4] - places[2], places[1] - places[3], places[1] - places[5]]
    assert start.tolist() == [[0, 0, x] for x in (*same, *other)]
    # With these displacements, the atlases lie on their targets.
    fields = upsample(start.view(8, 3, 1, 1, 1).expand(-1, -1, 4, 4, 8), (4, 4, 8))
    warped = warp(shares[[1, 1, 4, 4, 4, 4, 1, 1]], fields)
    torch.testing.assert_close(warped, shares[[0, 2, 3, 5] * 2], atol=1e-5, rtol=0)


def test_a_target_without_organs_starts_from_zero():
    labels = torch.zeros(6, 1, *FINE)
    labels[[1, 4], :, :, 5:, 5:] = 1
    shares = class_shares(labels, None, LAYOUT, 3, COARSE)
    assert not starting_points(shares, LAYOUT).any()


TABLE = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 0, 1]]).bool()  # any class; 0 or 2


def test_shares_are_known_where_all_voxels_are():
    labels = torch.zeros(6, 1, *FINE, dtype=torch.int16)
    labels[[2, 5]] = UNKNOWN
    labels[0, 0, 0, 0, 0] = 3
    labels[1] = 4
    known = known_classes(labels, TABLE, LAYOUT, COARSE)
    expected = torch.ones(6, 3, *COARSE, dtype=torch.bool)
    expected[0, :, 0, 0, 0] = False
    expected[1, [0, 2]] = False
    assert torch.equal(known, expected)
    assert not class_shares(labels, None, LAYOUT, 3, COARSE)[1].any()


def test_a_registration_starts_from_structures_that_both_scans_have():
    """Scan 0 lacks the second organ, which lies elsewhere in its atlas, scan 1."""
    shares = torch.zeros(6, 3, 4, 4, 8)
    shares[0, 1, :, :, 2:4] = shares[1, 1, :, :, 1:3] = 1
    shares[1, 2, :, :, 5:8] = 1
    known = torch.ones(6, 3, 4, 4, 8, dtype=torch.bool)
    known[0, 2] = False
    one_organ = shares.clone()
    one_organ[1, 2] = 0
    start = starting_points(shares, LAYOUT, known)
    assert torch.equal(start[0], starting_points(one_organ, LAYOUT)[0])
    assert start[0].tolist() == [0, 0, -1]
