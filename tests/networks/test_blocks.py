"""Parts of a pass through U-Nets."""

import pytest
import torch
from torch import nn

from mass_nnunet.networks import blocks


def test_batches_are_joined_scale_by_scale():
    one, two = [torch.zeros(1, 2, 4), torch.zeros(1, 2, 2)], [torch.ones(3, 2, 4), torch.ones(3, 2, 2)]
    large, small = blocks.join([one, two])
    assert (large.shape, small.shape) == ((4, 2, 4), (4, 2, 2))
    assert large[:1].sum() == 0 and large[1:].min() == 1
    with pytest.raises(ValueError, match="shorter"):
        blocks.join([one, two[:1]])


def test_deep_supervision_of_every_part_is_switched():
    network = nn.Sequential(nn.Module(), nn.Sequential(nn.Module()), nn.ReLU())
    network[0].deep_supervision = network[1][0].deep_supervision = True
    blocks.set_deep_supervision(network, False)
    assert not network[0].deep_supervision and not network[1][0].deep_supervision
    assert not hasattr(network[2], "deep_supervision")


def test_narrow_convolutions_alone_are_stored_in_channels_last_format():
    network = nn.Sequential(nn.Conv3d(2, blocks.VECTOR - 1, 3), nn.Conv3d(2, blocks.VECTOR, 3), nn.Conv2d(2, 4, 3))
    blocks.use_channels_last(network)
    is_last = [conv.weight.is_contiguous(memory_format=torch.channels_last_3d) for conv in network[:2]]
    assert is_last == [True, False]
    assert network[2].weight.is_contiguous()


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_only_where_it_does_so_natively(monkeypatch, native, dtype):
    monkeypatch.setattr(blocks, "NATIVE_BFLOAT16", native)
    with blocks.cpu_autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    with blocks.cpu_autocast(torch.device("cuda")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_features_of_a_decoder_come_from_coarse_to_fine():
    """With upsampling by repetition and stages that add up the channels, the features can be told by hand."""

    class Sum(nn.Module):
        def forward(self, x):
            return x.sum(1, keepdim=True)

    decoder = nn.Module()
    decoder.transpconvs = nn.ModuleList([nn.Upsample(scale_factor=2)] * 2)
    decoder.stages = nn.ModuleList([Sum(), Sum()])
    skips = [torch.full((1, 1, size, size, size), value) for size, value in ((4, 100.0), (2, 10.0), (1, 1.0))]
    coarse, fine = blocks.decoder_features(decoder, skips)
    assert coarse.shape == (1, 1, 2, 2, 2) and (coarse == 11).all()
    assert fine.shape == (1, 1, 4, 4, 4) and (fine == 111).all()


def test_channels_of_the_images():
    unet = nn.Module()
    unet.encoder = nn.Sequential(nn.Sequential(nn.Conv3d(3, 8, 3)), nn.Conv3d(8, 16, 3))
    assert blocks.input_channels(unet) == 3
