"""A registration network small enough for tests, and the layout of its batches."""

import torch

from mass_nnunet.batch import Layout
from mass_nnunet.networks.pair import PairNet
from mass_nnunet.registration.atlas import AtlasBank
from small_network import CLASSES, PATCH, unet

LAYOUT = Layout(1, 2, 1)


def pair_net(*, backward: bool = False, atlases: int = 2, deep_supervision: bool = False) -> PairNet:
    torch.manual_seed(0)
    unets = [unet(deep_supervision, channels=2) for _ in range(1 + backward)]
    net = PairNet(*unets[:1], atlases=AtlasBank(1, 2, 1, CLASSES, PATCH), backward=[*unets, None][1])
    if atlases:
        labels = torch.randint(0, CLASSES, (atlases, *PATCH))
        net.atlases.put(0, list(torch.randn(atlases, 1, *PATCH)), list(labels))
    return net
