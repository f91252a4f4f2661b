from dataclasses import FrozenInstanceError

import pytest
import torch

from annotated import is_annotated, pairs
from mass_nnunet.batch import Layout, LayoutSequence, Scans, StepContext, StepLabels

CPU = torch.device("cpu")


def test_two_modalities_with_two_labelled_and_one_unlabelled():
    layout = Layout(2, 2, 1)
    target, same, other = pairs(layout)
    assert layout.scans == 6
    assert target.tolist() == [0, 2, 3, 5]
    assert same.tolist() == [1, 1, 4, 4]
    assert other.tolist() == [4, 4, 1, 1]
    assert layout.annotated_targets(CPU).tolist() == [True, False, True, False]
    assert is_annotated(layout).tolist() == [True, True, False, True, True, False]


def test_atlases_are_labelled_and_of_the_right_modality():
    for n, labelled, unlabelled in [(2, 1, 1), (3, 2, 2), (4, 3, 1)]:
        share = labelled + unlabelled
        for offset in range(1, n):
            layout = Layout(n, labelled, unlabelled, offset)
            target, same, other = pairs(layout)
            mask = is_annotated(layout)
            assert mask[same].all()
            assert mask[other].all()
            assert torch.equal(same // share, target // share)
            assert torch.equal(other // share, (target // share + offset) % n)
            if labelled > 1:
                assert not torch.any(same == target)
            assert torch.equal(layout.annotated_targets(CPU), mask[target])
            hidden = torch.arange(layout.scans)[~mask]
            assert set(hidden.tolist()) <= set(target.tolist())


@pytest.mark.parametrize(("modalities", "labelled", "unlabelled"), [(2, 2, 1), (1, 1, 2), (3, 1, 0)])
def test_a_batch_is_parted_into_annotated_and_unlabelled_scans(modalities, labelled, unlabelled):
    layout = Layout(modalities, labelled, unlabelled)
    mask, batch = is_annotated(layout), torch.randn(layout.scans, 1, 2, 2, 2)
    annotated, hidden = layout.annotated(batch), layout.hidden(batch)
    assert annotated.shape[:2] == (modalities, labelled)
    assert hidden.shape[:2] == (modalities, unlabelled)
    assert torch.equal(annotated.flatten(0, 1), batch[mask])
    assert torch.equal(hidden.flatten(0, 1), batch[~mask])
    # They are views: what is written to them is in the batch.
    hidden.fill_(1)
    annotated.fill_(2)
    assert torch.equal(batch[:, 0, 0, 0, 0], torch.where(mask, 2.0, 1.0))


def test_targets_and_atlases_keep_what_a_scan_is():
    layout, batch = Layout(3, 2, 1, offset=2), torch.randn(9, 1, 2, 2, 2)
    parts = layout.targets(batch), layout.same_atlases(batch), layout.other_atlases(batch)
    for part, places in zip(parts, pairs(layout), strict=True):
        assert torch.equal(part, batch[places])


def test_pairs_grow_linearly_with_the_modalities():
    counts = [len(pairs(Layout(n, 2, 1))[0]) for n in (2, 3, 4)]
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
    target, same, _ = pairs(layout)
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
    assert scans.start is None
    started = Scans(torch.zeros(1, 1, 2, 2, 2), layout, torch.zeros(2, 3)).to(meta)
    assert started.images.device == started.start.device == meta
    context = StepContext(layout, 0.5)
    labels = StepLabels([torch.zeros(1), torch.zeros(2)], context).to(meta, non_blocking=True)
    assert [label.device for label in labels.labels] == [meta, meta]
    assert labels.context is context


def test_with_one_modality_there_is_no_atlas_of_another_one():
    layout = Layout(1, 2, 1)
    batch = torch.arange(layout.scans)
    assert (layout.kinds, Layout(2, 2, 1).kinds, Layout(3, 2, 1).kinds) == (1, 2, 2)
    assert layout.atlases(batch).tolist() == layout.same_atlases(batch).tolist() == [1, 1]
    assert LayoutSequence(layout).next(3) == layout


def test_borrowed_atlases_are_comparable_with_borrowed_targets_alone():
    for n, labelled, unlabelled in [(2, 2, 1), (2, 1, 1), (3, 3, 2)]:
        layout = Layout(n, labelled, unlabelled, borrowing=(1,))
        share = labelled + unlabelled
        targets = layout.targets(torch.arange(layout.scans))
        expected = [t for t in targets.tolist() if t // share != 1 or t % share < labelled]
        assert layout.comparable(targets).tolist() == expected
        assert layout.comparable(layout.same_atlases(torch.arange(layout.scans))).shape == (len(expected),)


def test_without_borrowing_all_are_comparable():
    targets = torch.arange(4)
    assert Layout(2, 2, 1).comparable(targets) is targets


def test_a_sequence_keeps_who_borrows():
    sequence = LayoutSequence(Layout(3, 2, 1, borrowing=(0, 2)))
    assert {sequence.next(scans).borrowing for scans in (9, 6, 9)} == {(0, 2)}
