"""What a method needs to know to build its network: what nnU-Net tells it, and the group's part of the plans."""

import math
from dataclasses import dataclass

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from mass_nnunet.hyperparameters import Hyperparameters
from mass_nnunet.networks.adapted import offer_adaptation
from mass_nnunet.networks.intensity import PRIOR
from mass_nnunet.registration.atlas import AtlasBank


@dataclass(frozen=True)
class Blueprint:
    """The measures of a network, and nnU-Net's parts for it.

    Attributes:
        plans: of nnU-Net.
        configuration: of the plans.
        channels: C, of an image of the plans' dataset.
        classes: K, with background.
        deep_supervision: whether U-Nets yield the logits of all scales.
        hyperparameters: of the method.
    """

    plans: PlansManager
    configuration: ConfigurationManager
    channels: int
    classes: int
    deep_supervision: bool
    hyperparameters: Hyperparameters

    @property
    def modalities(self) -> int:
        """N, the number of modalities in the group."""
        return len(self.plans.plans["mass"]["modalities"])

    @property
    def modality(self) -> int:
        """Index of the modality of the plans' dataset."""
        mass = self.plans.plans["mass"]
        return [modality["name"] for modality in mass["modalities"]].index(mass["modality"])

    @property
    def inference(self) -> str:
        """Which branch predicts."""
        return self.plans.plans["mass"]["inference"]

    def voxels(self, volume: float) -> float:
        """How many voxels of the plans' grid a volume in ml has."""
        return volume * 1000 / math.prod(self.configuration.spacing)

    @property
    def group_channels(self) -> list[int]:
        """C of each modality; plans say it where it is not the same in the whole group."""
        return [modality.get("channels", self.channels) for modality in self.plans.plans["mass"]["modalities"]]

    def unet(self, images: int = 1) -> nn.Module:
        """nnU-Net's own network of the plans' dataset; its input is this number of images, concatenated as channels."""
        return self._unet(images * self.channels)

    def unets(self) -> list[nn.Module]:
        """nnU-Net's own network of each modality of the group, for the channels of its images."""
        return [self._unet(channels) for channels in self.group_channels]

    def _unet(self, channels: int) -> nn.Module:
        return nnUNetTrainer.build_network_architecture(
            self.plans, self.configuration, channels, self.classes, self.deep_supervision
        )

    def adapting(self, network: nn.Module) -> nn.Module:
        """The network, which can then predict with intensity adaptation, unless it has ``inferences`` of its own."""
        if not hasattr(network, "inferences"):
            weight, prior = self.hyperparameters.intensity_weight, self.voxels(PRIOR)
            offer_adaptation(network, inference=self.inference, weight=weight, prior=prior)
        return network

    def atlases(self, modalities: int) -> AtlasBank:
        """An empty atlas bank for this number of modalities: all of the group, or one."""
        capacity, patch = self.hyperparameters.atlases, self.configuration.patch_size
        channels = self.channels if modalities == 1 else max(self.group_channels)
        return AtlasBank(modalities, capacity, channels, self.classes, patch)
