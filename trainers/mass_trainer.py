"""MASSTrainer: modality-collaborative semi-supervised training of all modalities of a group."""

import shutil
from collections.abc import Sequence
from typing import Any, ClassVar

from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from torch import Tensor

from mass_nnunet.batch import Scans, StepContext, StepLabels
from mass_nnunet.hyperparameters import INFERENCES, Hyperparameters, complete
from mass_nnunet.networks.blocks import UNet
from mass_nnunet.networks.group import share_convolutions, share_decoder
from mass_nnunet.networks.intensity import PRIOR
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.objectives.mass import TERMS, MASSObjective
from mass_nnunet.registration.fields import downsample
from mass_nnunet.training.augmentation import perturbed
from mass_nnunet.training.loaders import GroupLoader
from mass_nnunet.training.pseudo_labels import joined
from mass_nnunet.training.shares import class_shares, known_classes, starting_points
from mass_nnunet.training.teacher import Teacher

from .base.augmented import OrganContrastTrainer
from .base.blueprint import Blueprint
from .base.registering import RegisteringTrainer
from .base.schedule import two_rates
from .base.taught import TaughtTrainer
from .place import locate_organs
from .propagation import propagate_labels
from .templates import put_templates


class MASSTrainer(OrganContrastTrainer, TaughtTrainer, RegisteringTrainer):
    """Modality-collaborative semi-supervised training (MASS, Chen et al. 2022) with nnU-Net's pipeline."""

    TERMS: ClassVar[tuple[str, ...]] = TERMS
    inferences: ClassVar[tuple[str, ...]] = INFERENCES

    places_atlases: ClassVar = True
    """Whether a registration starts from the translation that lays the atlas's organs on those of the target."""

    propagated = False
    """Whether the atlases have propagated their labels to all unlabelled scans."""

    # ---- one training step: prepare, nnU-Net's own (network, MASSObjective, optimizer), and the teacher's update

    def prepare(self, batch: dict) -> dict:
        """What happens to a batch before the network sees it.

        1. Its layout says which scans are annotated, and which are atlases of which targets.
        2. Annotated scans are augmented, by default by random organ contrast.
        3. The teacher segments the unlabelled scans as they are. Its probabilities, joined with the labels that atlases
           have propagated to these scans and with where no organ can be, are the pseudo-labels.
        4. The network gets the unlabelled scans with other intensities than the teacher.
        5. Where atlases are registered, each is first laid on its target by a translation.

        Args:
            batch: ``data`` (S, C, Z, Y, X) and ``target``, from fine to coarse, each (S, 1, Z_s, Y_s, X_s).
        """
        layout = self.layouts.next(len(batch["data"]), sparing=self.ramped)
        images, labels = self.to_device(batch)
        self.augment(images, labels[0], layout)

        pseudo_labels = None
        if self.teacher is not None and layout.unlabelled:
            hidden = layout.hidden(images)
            scans, known = hidden.flatten(0, 1), layout.hidden(labels[0]).flatten(0, 1)
            pseudo_labels = joined(self.teacher(scans), known)
            hidden.copy_(perturbed(scans).view_as(hidden))

        shares = start = None
        is_known: Tensor | None = None
        if layout.registered and self.module.correspondence is not None:
            half, coarsest = labels[1].shape[2:], labels[-1].shape[2:]  # the grids of the fields, and of their start
            shares = class_shares(labels[0], pseudo_labels, layout, self.classes, half)
            if not self.possible.everything_known:
                is_known = known_classes(labels[0], self.possible_table, layout, half)
            if self.places_atlases:
                start = starting_points(downsample(shares, coarsest), layout, is_known)
        context = StepContext(layout, self.progress, pseudo_labels, shares, is_known)
        return {"data": Scans(images, layout, start), "target": StepLabels(labels, context)}

    def _build_loss(self) -> MASSObjective:
        return MASSObjective(super()._build_loss(), self.classes, self.hyperparameters)

    # ---- network, optimizer and batches

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> MASSNet:
        """The network of the whole group; the plans say which modality it segments."""
        hyperparameters = blueprint.hyperparameters
        group, modality = (blueprint.modalities, blueprint.modality) if cls.trains_group else (1, 0)
        unets = blueprint.unets() if cls.trains_group else [blueprint.unet()]
        cls.share_parts(unets, hyperparameters)
        network = MASSNet(
            unets,
            atlases=blueprint.atlases(group) if hyperparameters.correspondence_channels else None,
            correspondence_channels=hyperparameters.correspondence_channels,
            correspondence_gradient=hyperparameters.correspondence_gradient,
            compares_features=hyperparameters.weights.anatomical > 0,
            modality=modality,
            inference=blueprint.inference,
            refinement_steps=hyperparameters.refinement_steps,
            intensity_weight=hyperparameters.intensity_weight,
            intensity_prior=blueprint.voxels(PRIOR),
        )
        network.places_atlases = cls.places_atlases
        return network

    @classmethod
    def share_parts(cls, unets: Sequence[UNet], hyperparameters: Hyperparameters) -> None:
        """Let the modalities' U-Nets share their decoder, or all convolutions."""
        (share_convolutions if hyperparameters.shared_encoder else share_decoder)(unets)

    def parameter_groups(self) -> list[dict]:
        """The correspondence head has a rate of its own."""
        registering = [self.module.correspondence] if self.module.correspondence else []
        scale = self.hyperparameters.correspondence_learning_rate / self.initial_lr
        return two_rates(self.network, registering, scale)

    def stack(self, loaders: list[nnUNetDataLoader]) -> GroupLoader:
        """As in :class:`GroupTrainer`, with unlabelled scans in every ``unlabelled_every``-th batch only."""
        every = [1, self.hyperparameters.unlabelled_every] if self.layout.unlabelled else [1]
        return GroupLoader(loaders, every * len(self.dataset_trainers))

    def get_dataloaders(self) -> tuple:
        """As in :class:`GroupTrainer`; before, find where the unlabelled scans can have organs."""
        if self.current_epoch == 0:
            self._forget_labels()
        self.wait()
        if self.is_taught and self.hyperparameters.place_margin:
            part = slice(self.local_rank, None, self.processes)
            margin, capacity = self.hyperparameters.place_margin, self.hyperparameters.atlases
            locate_organs(self.dataset_trainers, capacity=capacity, margin=margin, part=part)
        self.wait()
        return super().get_dataloaders()

    @property
    def compares_modalities(self) -> bool:
        """Whether one of the paper's consistencies, or the inter-modal similarity, is on."""
        weights = self.hyperparameters.weights
        inter_modal = weights.inter_modal and self.hyperparameters.inter_modal_similarity
        return bool(weights.semantic or weights.anatomical or inter_modal)

    # ---- teacher and atlases in the course of a training

    @property
    def ramped(self) -> bool:
        """Whether the unsupervised terms have their whole weight by now."""
        return self.progress >= self.hyperparameters.ramp

    @property
    def is_taught(self) -> bool:
        """Whether unlabelled scans teach."""
        return bool(self.layout.unlabelled and self.hyperparameters.weights.teaching)

    @classmethod
    def reads_outside(cls, plans: dict[str, Any]) -> bool:
        """Where labels are propagated: they are joined with these."""
        used = complete(plans["mass"]["hyperparameters"], cls.CHANGES)
        return bool(used.unlabelled_per_step and used.weights.teaching and used.correspondence_channels)

    @property
    def teacher_with_atlases(self) -> Teacher | None:
        """The teacher, where atlases label the unlabelled scans besides it."""
        return self.teacher if self.module.correspondence is not None else None

    def on_train_start(self) -> None:
        """As in :class:`GroupTrainer`; besides, make the teacher, and take in the atlases when training begins."""
        super().on_train_start()
        if self.current_epoch == 0 and self.module.correspondence is not None:
            self.put_atlases()
        self.appoint_teacher()

    def appoint_teacher(self) -> None:
        """Where unlabelled scans teach, the network's running average is their teacher, with intensity adaptation."""
        if self.is_taught:
            self.appoint(Teacher(self.module, inference="adapted"))

    def on_train_epoch_start(self) -> None:
        """As in :class:`GroupTrainer`; where the ramp ends, labels are propagated to the unlabelled scans, once."""
        super().on_train_epoch_start()
        teacher = self.teacher_with_atlases
        if teacher is not None and not self.propagated and self.ramped:
            part = slice(self.local_rank, None, self.processes)
            propagate_labels(self.dataset_trainers, teacher.network, part)
            self.wait()
            self.propagated = True

    def on_train_end(self) -> None:
        """As in :class:`GroupTrainer`; before, the model takes templates in, and the propagated labels have served.

        A finished model has its templates: resumed by ``--c``, it has no other teacher than itself.
        """
        teacher = self.teacher_with_atlases
        if teacher is not None and not self.module.atlases.has_templates:
            put_templates(self.dataset_trainers, self.module.atlases, teacher.network)
        super().on_train_end()
        self._forget_labels()

    def _forget_labels(self) -> None:
        if self.local_rank == 0:
            for trainer in self.dataset_trainers:
                for folder in (trainer.propagated_folder, trainer.place_folder):
                    shutil.rmtree(folder, ignore_errors=True)
