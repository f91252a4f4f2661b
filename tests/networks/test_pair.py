import pytest
import torch

from mass_nnunet.batch import Scans
from mass_nnunet.losses.similarity import local_correlation_loss
from mass_nnunet.networks.blocks import cpu_autocast
from mass_nnunet.networks.pair import PairOutput, PairUNet, _tell_of_earlier_version
from mass_nnunet.registration.atlas import EVIDENCE
from mass_nnunet.registration.fields import inside, warp
from mass_nnunet.registration.refinement import refine
from mass_nnunet.registration.translation import best_image_translation
from small_network import CLASSES, PATCH, unet
from small_pair import LAYOUT, pair_net


@pytest.mark.parametrize("backward", [False, True])
def test_training_registers_the_last_labelled_scan_to_the_others(backward):
    net = pair_net(backward=backward).train()
    torch.nn.init.normal_(net.pair.decoder.seg_layers[0].weight, std=0.1)
    scans = torch.randn(3, 1, *PATCH)
    atlases, targets = LAYOUT.same_atlases(scans), LAYOUT.targets(scans)
    output = net(Scans(scans, LAYOUT, -best_image_translation(atlases, targets)))
    assert isinstance(output, PairOutput)
    assert output.fields.shape == (2, 3, *PATCH)
    assert output.fields.dtype == torch.float32
    atlases, targets = scans[[1, 1]], scans[[0, 2]]
    start = -best_image_translation(atlases, targets).view(2, 3, 1, 1, 1)
    assert start.any()
    with torch.no_grad(), cpu_autocast(scans.device):
        placed = warp(atlases, start.expand(-1, -1, *PATCH))
        torch.testing.assert_close(output.fields, net.pair(placed, targets) + start)
        torch.testing.assert_close(output.warped, warp(atlases, output.fields))
        if backward:
            back = warp(output.warped, -start.expand(-1, -1, *PATCH))
            torch.testing.assert_close(output.backward, net.backward_pair(back, atlases) - start)
        else:
            assert output.backward is None


def test_every_parameter_is_trained():
    """DDP needs it, and in particular that no segmentation head of the U-Net is left."""
    net = pair_net(backward=True).train()
    for pair in (net.pair, net.backward_pair):
        torch.nn.init.normal_(pair.decoder.seg_layers[0].weight, std=0.1)
    output = net(Scans(torch.randn(3, 1, *PATCH), LAYOUT))
    (output.fields.square().sum() + output.backward.square().sum()).backward()
    without = [name for name, p in net.named_parameters() if p.grad is None]
    assert without == []


def test_starts_from_a_translation():
    scans = torch.randn(3, 1, *PATCH)
    start = -best_image_translation(LAYOUT.same_atlases(scans), LAYOUT.targets(scans))
    field = pair_net()(Scans(scans, LAYOUT, start)).fields
    change = field + best_image_translation(scans[[1, 1]], scans[[0, 2]]).view(2, 3, 1, 1, 1)
    assert 0 < change.abs().max() < 1e-2


def test_learns_to_undo_a_shift():
    torch.manual_seed(0)
    coarse = torch.rand(1, 1, 4, 6, 6)
    atlas = torch.nn.functional.interpolate(coarse, PATCH, mode="trilinear")
    target = atlas.roll(-2, dims=4)
    pair = PairUNet(unet(channels=2))
    optimizer = torch.optim.Adam(pair.parameters(), 5e-3)
    for _ in range(80):
        loss = local_correlation_loss(warp(atlas, pair(atlas, target)), target, 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * local_correlation_loss(atlas, target, 5).item()


def test_evaluation_propagates_the_labels_of_the_atlases():
    """With a field of nothing, and one atlas, on the atlas itself they are its own."""
    net = pair_net(atlases=1).eval()
    torch.nn.init.zeros_(net.pair.decoder.seg_layers[0].weight)
    with torch.no_grad():
        logits = net(net.atlases.images_of(0).repeat(2, 1, 1, 1, 1))
    assert logits.shape == (2, CLASSES, *PATCH)
    torch.testing.assert_close(logits, EVIDENCE * net.atlases.labels_of(0).expand(2, -1, -1, -1, -1), atol=1e-4, rtol=0)


def test_evaluation_registers_each_scan_for_itself():
    net = pair_net().eval()
    torch.nn.init.normal_(net.pair.decoder.seg_layers[0].weight, std=0.1)
    scans = torch.randn(2, 1, *PATCH)
    with torch.no_grad():
        together = net(scans)
        torch.testing.assert_close(net(scans[1:]), together[1:])
        shown = torch.stack([inside(net.register(scan[None]))[:, 0] for scan in scans])  # (2, A', Z, Y, X)
    # Beyond the border of an atlas there is no label.
    everywhere, nowhere = shown.all(1), ~shown.any(1)
    assert everywhere.any()
    assert nowhere.any()
    assert (together.sum(1)[everywhere] - EVIDENCE).abs().max() < 1e-3
    assert not together.sum(1)[nowhere].any()


def test_fields_are_refined_for_the_scan_at_hand():
    net, scan = pair_net().eval(), torch.randn(1, 1, *PATCH)
    with torch.no_grad():
        fields = net.register(scan)
        net.refinement_steps = 2
        refined = net.register(scan)
    assert torch.equal(refined, refine(fields, net.atlases.images_of(0), scan, 2))
    assert not torch.equal(refined, fields)


def test_nnunet_gets_a_list_if_it_expects_one():
    net = pair_net().eval()
    net.pair.decoder.deep_supervision = True
    with torch.no_grad():
        (logits,) = net(torch.randn(1, 1, *PATCH))
    assert logits.shape == (1, CLASSES, *PATCH)


def test_state_loads_strictly_whatever_deep_supervision_is():
    trained, fresh = pair_net(deep_supervision=True), pair_net(atlases=0)
    fresh.load_state_dict(trained.state_dict(), strict=True)
    assert fresh.atlases.count.tolist() == [2]


def test_a_state_of_a_network_without_translation_is_loaded_with_one_note_in_a_process(capsys):
    _tell_of_earlier_version.cache_clear()
    net = pair_net()
    state = net.state_dict()
    net.load_state_dict(state)
    net.load_state_dict(dict(state))  # as nnU-Net's trainer loads it: without the number of the version
    assert not capsys.readouterr().err
    state._metadata[""]["version"] = 1
    for network in (net, net, pair_net()):
        network.load_state_dict(state)
    note = capsys.readouterr().err
    assert note.startswith("note: this model was trained by an earlier version of mass_nnunet, without the translation")
    assert note.count("\n") == 1
