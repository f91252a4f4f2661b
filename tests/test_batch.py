from dataclasses import FrozenInstanceError

import pytest
import torch

from mass_nnunet.batch import Layout, LayoutSequence, Scans, StepContext, StepLabels

CPU = torch.device("cpu")


def test_two_modalities_with_two_labelled_and_one_unlabelled():
    layout = Layout(2, 2, 1)
    target, same, other = layout.pairs(CPU)
    assert layout.scans == 6
    assert target.tolist() == [0, 2, 3, 5]
    assert same.tolist() == [1, 1, 4, 4]
    assert other.tolist() == [4, 4, 1, 1]
    assert layout.is_labelled(CPU).tolist() == [True, True, False, True, True, False]


def test_atlases_are_labelled_and_of_the_right_modality():
    for n, labelled, unlabelled in [(2, 1, 1), (3, 2, 2), (4, 3, 1)]:
        share = labelled + unlabelled
        for offset in range(1, n):
            layout = Layout(n, labelled, unlabelled, offset)
            target, same, other = layout.pairs(CPU)
            mask = layout.is_labelled(CPU)
            assert mask[same].all()
            assert mask[other].all()
            assert torch.equal(same // share, target // share)
            assert torch.equal(other // share, (target // share + offset) % n)
            if labelled > 1:
                assert not torch.any(same == target)
            hidden = torch.arange(layout.scans)[~mask]
            assert set(hidden.tolist()) <= set(target.tolist())


def test_pairs_grow_linearly_with_the_modalities():
    counts = [len(Layout(n, 2, 1).pairs(CPU)[0]) for n in (2, 3, 4)]
    assert counts == [4, 6, 8]


def test_each_modality_lends_to_every_other_with_unlabelled_scans_and_without():
    layouts = LayoutSequence(Layout(3, 2, 1))
    lenders = {0: [], 1: []}
    for scans in (9, 6, 9, 6, 9, 9, 6):
        layout = layouts.next(scans)
        assert layout.scans == scans
        lenders[layout.unlabelled].append(layout.offset)
    assert lenders == {1: [1, 2, 1, 2], 0: [1, 2, 1]}


def test_of_two_modalities_the_other_one_lends():
    layouts = LayoutSequence(Layout(2, 2, 1))
    for scans in (6, 4, 6):
        assert layouts.next(scans).offset == 1


@pytest.mark.parametrize(
    ("unlabelled", "scans", "sparing", "registered"),
    [
        (1, 6, True, True),
        (1, 4, True, False),
        (1, 4, False, True),
        (0, 4, True, True),  # where no batch has unlabelled scans
    ],
)
def test_which_batches_are_registered(unlabelled, scans, sparing, registered):
    layouts = LayoutSequence(Layout(2, 2, unlabelled))
    assert layouts.next(scans, sparing=sparing).registered == registered


def test_one_modality_has_layouts_without_a_lender():
    layout = LayoutSequence(Layout(1, 2, 1)).next(3)
    assert layout == Layout(1, 2, 1)
    target, same, _ = layout.pairs(CPU)
    assert target.tolist() == [0, 2]
    assert same.tolist() == [1, 1]


def test_a_layout_cannot_change_under_those_who_share_it():
    with pytest.raises(FrozenInstanceError):
        Layout(2, 2, 1).unlabelled = 0
    with pytest.raises(FrozenInstanceError):
        StepContext(Layout(2, 2, 1), 0.0).progress = 1.0


def test_scans_and_targets_move_as_a_whole():
    meta = torch.device("meta")
    layout = Layout(1, 1, 0)
    scans = Scans(torch.zeros(1, 1, 2, 2, 2), layout).to(meta, non_blocking=True)
    assert scans.images.device == meta
    assert scans.layout is layout
    context = StepContext(layout, 0.5)
    labels = StepLabels([torch.zeros(1), torch.zeros(2)], context).to(meta, non_blocking=True)
    assert [label.device for label in labels.labels] == [meta, meta]
    assert labels.context is context
