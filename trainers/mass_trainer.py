"""MASSTrainer: modality-collaborative semi-supervised training of all modalities of a group."""

import shutil
from typing import ClassVar

import torch.distributed as dist
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.networks.group import share_convolutions, share_decoder
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.objectives.mass import TERMS, Objective
from mass_nnunet.training.augmentation import perturbed, with_other_organs
from mass_nnunet.training.loaders import GroupLoader
from mass_nnunet.training.teacher import Teacher

from .base.blueprint import Blueprint
from .base.group import GroupTrainer, RegisteringTrainer
from .base.schedule import two_rates
from .propagation import propagate_labels
from .templates import put_templates


class MASSTrainer(RegisteringTrainer, GroupTrainer):
    """Modality-collaborative semi-supervised training (MASS, Chen et al. 2022) with nnU-Net's pipeline."""

    TERMS: ClassVar = TERMS
    inferences: ClassVar = INFERENCES

    teacher: Teacher | None = None
    """Where unlabelled scans teach."""

    propagated = False
    """Whether the atlases' labels are there, of all unlabelled scans."""

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> MASSNet:
        """The network of the whole group; the plans say which modality it segments."""
        hyperparameters, group = blueprint.hyperparameters, blueprint.modalities
        unets = [blueprint.unet() for _ in range(group)]
        (share_convolutions if hyperparameters["shared_encoder"] else share_decoder)(unets)
        return MASSNet(
            unets,
            layout=blueprint.layout(group),
            atlases=blueprint.atlases(group) if hyperparameters["correspondence_channels"] else None,
            correspondence_channels=hyperparameters["correspondence_channels"],
            correspondence_gradient=hyperparameters["correspondence_gradient"],
            compares_features=hyperparameters["weights"]["anatomical"] > 0,
            modality=blueprint.modality,
            inference=blueprint.inference,
            refinement_steps=hyperparameters["refinement_steps"],
            intensity_weight=hyperparameters["intensity_weight"],
        )

    def parameter_groups(self) -> list[dict]:
        """The correspondence head has a rate of its own."""
        registering = [self.module.correspondence] if self.module.correspondence else []
        scale = self.hyperparameters["correspondence_learning_rate"] / self.initial_lr
        return two_rates(self.network, registering, scale)

    def _build_loss(self) -> Objective:
        return Objective(
            super()._build_loss(), self.layout, self.label_manager.num_segmentation_heads, self.hyperparameters
        )

    def stack(self, loaders: list[nnUNetDataLoader]) -> GroupLoader:
        """As in :class:`GroupTrainer`, with unlabelled scans in every ``unlabelled_every``-th batch only."""
        every = [1, self.hyperparameters["unlabelled_every"]] if self.layout.unlabelled else [1]
        return GroupLoader(loaders, every * len(self.streams))

    def get_dataloaders(self) -> tuple:
        """As in :class:`GroupTrainer`, without the labels that an earlier training propagated."""
        if self.current_epoch == 0:
            self._forget_labels()
        return super().get_dataloaders()

    def on_train_start(self) -> None:
        """As in :class:`GroupTrainer`; besides, make the teacher, and take in the atlases when training begins."""
        super().on_train_start()
        if self.current_epoch == 0 and self.module.correspondence is not None:
            for modality, stream in enumerate(self.streams):
                self.module.atlases.put(modality, *stream.atlas_patches(self.hyperparameters["atlases"]))
        self.appoint_teacher()

    @property
    def ramped(self) -> bool:
        """Whether the unsupervised terms have their whole weight by now."""
        return self.loss.progress >= self.hyperparameters["ramp"]

    @property
    def atlases_teach(self) -> bool:
        """Whether unlabelled scans are labelled by atlases besides the teacher."""
        return self.teacher is not None and self.module.correspondence is not None

    def appoint_teacher(self) -> None:
        """Where unlabelled scans teach, make the network as it is now their teacher, with what gray values add."""
        if self.layout.unlabelled and self.hyperparameters["weights"]["teaching"]:
            self.teacher = Teacher(self.module, inference="adapted")

    def on_train_epoch_start(self) -> None:
        """As in :class:`GroupTrainer`; where the ramp ends, labels are propagated to the unlabelled scans, once."""
        super().on_train_epoch_start()
        if self.atlases_teach and not self.propagated and self.ramped:
            processes = dist.get_world_size() if self.is_ddp else 1
            propagate_labels(self.streams, self.teacher.network, slice(self.local_rank, None, processes))
            if processes > 1:
                dist.barrier()
            self.propagated = True

    def on_train_end(self) -> None:
        """As in :class:`GroupTrainer`; before, the model takes templates in, and the propagated labels have served.

        A model that is finished has its templates: resumed by ``--c``, it has no other teacher than itself.
        """
        if self.atlases_teach and not self.module.atlases.has_templates:
            put_templates(self.streams, self.module.atlases, self.teacher.network)
        super().on_train_end()
        self._forget_labels()

    def _forget_labels(self) -> None:
        if self.local_rank == 0:
            for stream in self.streams:
                shutil.rmtree(stream.propagated_folder, ignore_errors=True)

    def train_step(self, batch: dict) -> dict:
        """As in :class:`GroupTrainer`, of scans with other intensities than they have."""
        # Seen from the batch, and not counted, as several workers load.
        self.layout.turn(len(batch["data"]), sparing=self.ramped)
        result = super().train_step(batch | self._varied(batch))
        if self.teacher is not None:
            self.teacher.update(self.module)
        return result

    def _varied(self, batch: dict) -> dict:
        """``data`` and ``target`` of the batch; a teacher has segmented the unlabelled scans as they were."""
        scans = batch["data"].to(self.device, non_blocking=True)
        target = [scale.to(self.device, non_blocking=True) for scale in batch["target"]]
        labelled = self.layout.is_labelled(self.device)
        if most := self.hyperparameters["organ_contrast"]:
            classes = self.label_manager.num_segmentation_heads
            scans[labelled] = with_other_organs(scans[labelled], target[0][labelled], classes, most)
        self.loss.taught = None
        if self.teacher is not None and self.layout.unlabelled:
            self.loss.taught = self.teacher(scans[~labelled])
            scans[~labelled] = perturbed(scans[~labelled])
        return {"data": scans, "target": target}

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """As in :class:`GroupTrainer`; besides, a registration is drawn of each modality."""
        super().perform_actual_validation(save_probabilities)
        if self.local_rank == 0 and self.module.correspondence is not None:
            everything = self.module.active
            for modality, stream in enumerate(self.streams):
                self.activate([modality])
                stream.draw_registration(self.module)
            self.activate(everything)
