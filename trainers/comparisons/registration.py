"""The registration methods that MASSTrainer is compared with: they segment by the labels of registered atlases."""

from typing import ClassVar

from mass_nnunet.networks.pair import PairNet
from mass_nnunet.objectives.registration import RegistrationObjective
from mass_nnunet.registration.translation import best_image_translation
from mass_nnunet.trainers.base.blueprint import Blueprint
from mass_nnunet.trainers.base.registering import RegisteringTrainer
from mass_nnunet.trainers.base.single import SingleTrainer


class VoxelMorphTrainer(RegisteringTrainer, SingleTrainer):
    """Atlas registration alone: VoxelMorph (Balakrishnan et al., IEEE TMI 2019; eqs. 5 to 7), one modality.

    As in the paper: a U-Net on the concatenated pair gives a displacement field at full resolution; the loss is
    1 - LNCC (window 9) of the warped atlas and the target, 1 times the diffusion of the field, and, where the target is
    annotated, too, 1 - soft Dice of their labels, the paper's variant with auxiliary data; the labels of the atlas,
    warped, are the segmentation; a field is refined for the scan at hand (instance-specific optimization,
    ``refinement_steps``). The hyperparameter ``similarity`` exchanges LNCC for MSE, NMI or MIND-SSC; the weights of the
    other terms stay 1 with each.

    Different here: the U-Net is that of the plans; where the paper aligns scans affinely before, a translation lays the
    atlas on the target (:func:`translation.best_image_translation`); the atlas of a step is any annotated scan of the
    batch, which is augmented like the rest, as in MASSTrainer, and at prediction up to five are fused
    (:meth:`AtlasBank.fuse`); the learning rate is that of MASSTrainer's correspondence head. Schedule, optimizer,
    augmentation, sampling and cases are MASSTrainer's. Fields may fold, which is logged.
    """

    WEIGHTS: ClassVar[dict[str, float]] = {"similarity": 1.0, "smoothness": 1.0, "dice": 1.0}
    """Weights of the terms of :class:`RegistrationObjective`."""

    TERMS: ClassVar = (*WEIGHTS, "folding")
    REVISION: ClassVar = 2  # before, no translation, and no Dice of annotated pairs
    inferences: ClassVar[tuple[str, ...]] = ()  # by atlases, in one way
    BACKWARD: ClassVar = False
    """Whether the network also has fields from the warped atlas back to the atlas."""

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> PairNet:
        """The network of one modality, with room for its atlases."""
        return PairNet(
            blueprint.unet(images=2),
            atlases=blueprint.atlases(1),
            backward=blueprint.unet(images=2) if cls.BACKWARD else None,
            refinement_steps=blueprint.hyperparameters.refinement_steps,
        )

    def prepare(self, batch: dict) -> dict:
        """As in :class:`RegisteringTrainer`; besides, each atlas is laid on its target by a translation."""
        prepared = super().prepare(batch)
        scans = prepared["data"]
        atlases, targets = scans.layout.same_atlases(scans.images), scans.layout.targets(scans.images)
        return prepared | {"data": scans._replace(start=-best_image_translation(atlases, targets))}

    def _build_loss(self) -> RegistrationObjective:
        similarity = self.hyperparameters.similarity_measure
        return RegistrationObjective(super()._build_loss(), self.classes, similarity, self.WEIGHTS)

    def parameter_groups(self) -> list[dict]:
        """All parameters, at the learning rate of the correspondence."""
        scale = self.hyperparameters.correspondence_learning_rate / self.initial_lr
        return [{"params": list(self.network.parameters()), "scale": scale}]

    def on_train_start(self) -> None:
        """As in :class:`SingleTrainer`; besides, take in the atlases when training begins."""
        super().on_train_start()
        if self.current_epoch == 0:
            self.put_atlases()


class LTNetTrainer(VoxelMorphTrainer):
    """Reversible correspondences: LT-Net (Wang et al., CVPR 2020), one modality.

    As in the paper: besides VoxelMorph's forward field from the atlas to the target, a second network learns the
    backward field from the *warped* atlas to the atlas itself, which closes the cycle. LNCC of the warped atlas and the
    target, smoothness of both fields, the mean absolute difference between the atlas and the atlas warped there and
    back (image cycle), and 1 - soft Dice of its labels likewise (anatomy cycle). The backward network has no part in
    predictions.

    Different here: the adversarial term, and the consistency of the two fields and of the differences between
    anatomies, are left out; the two generators are U-Nets of the plans on concatenated pairs rather than sharing
    a Siamese encoder. The weights of the cycles are ours, 1. The paper has one annotated scan of one modality; where
    there are more, their labels train as in :class:`VoxelMorphTrainer`, and what the paper leaves open is as there.
    """

    WEIGHTS: ClassVar = {**VoxelMorphTrainer.WEIGHTS, "image_cycle": 1.0, "anatomy_cycle": 1.0}
    TERMS: ClassVar = (*WEIGHTS, "folding")
    BACKWARD: ClassVar = True
