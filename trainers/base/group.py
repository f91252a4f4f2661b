"""GroupTrainer: the base of methods that train the datasets of a group, or one of them, with labels and without."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import Tensor, nn

from mass_nnunet.batch import Layout, LayoutSequence, StepContext, StepLabels
from mass_nnunet.data.group_plans import OF_A_NETWORK, check_form
from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES, complete
from mass_nnunet.networks.blocks import set_deep_supervision, use_channels_last
from mass_nnunet.networks.regions import classes_of_network, offer_regions
from mass_nnunet.networks.strangers import REMEDY
from mass_nnunet.training.augmenters import augmenters
from mass_nnunet.training.loaders import GroupLoader

from .blueprint import Blueprint
from .inputs import planned_datasets
from .joint import JointTrainer
from .lending import lend_annotated_scans, refuse_lonely_modality
from .schedule import ScaledPolyLR


class GroupTrainer(JointTrainer):
    """The models of all modalities of a group, trained in one run with nnU-Net's pipeline.

    Training any dataset of the group trains all of them and fills each one's results folder. The trainers of the
    others, ``partners``, share this one's network, optimizer and log; they load their own scans and write into their
    own folders.

    A method builds its network (``network_of``), whose ``active`` says of which modalities a batch holds scans, in this
    order and in equal shares, and its objective (``_build_loss``, an :class:`mass_nnunet.objectives.base.Objective`).
    """

    dataset_trainers: list["GroupTrainer"]

    trains_group: ClassVar = True

    needs_same_channels: ClassVar = False
    """Whether scans of one modality go through a U-Net of another one, and so need as many channels."""

    inferences: ClassVar[tuple[str, ...]] = INFERENCES_WITHOUT_ATLASES

    def set_up(self) -> None:
        """As in :class:`JointTrainer`; besides, the method's hyperparameters."""
        super().set_up()
        with exit_on_user_error():
            self.hyperparameters = complete(self.plans_manager.plans["mass"]["hyperparameters"], self.CHANGES)
        self.initial_lr = self.hyperparameters.learning_rate

    @classmethod
    def reads_unlabelled(cls, plans: dict[str, Any]) -> bool:
        """Whether the method takes unlabelled scans into its steps."""
        return complete(plans["mass"]["hyperparameters"], cls.CHANGES).unlabelled_per_step > 0

    # ---- one training step

    def prepare(self, batch: dict) -> dict:
        """The input of the network, ``data``, and the labels with the context of the step, ``target``.

        Args:
            batch: of :class:`mass_nnunet.training.loaders.GroupLoader`.
        """
        layout = self.layouts.next(len(batch["data"]))
        images, labels = self.to_device(batch)
        self.augment(images, labels[0], layout)
        return {"data": images, "target": StepLabels(labels, StepContext(layout, self.progress))}

    def to_device(self, batch: dict) -> tuple[Tensor, list[Tensor]]:
        """Images and labels of a batch on the training's device."""
        images, *labels = (each.to(self.device, non_blocking=True) for each in (batch["data"], *batch["target"]))
        return images, labels

    def augment(self, images: Tensor, labels: Tensor, layout: Layout) -> None:
        """Augment the annotated scans of a batch in place, by their datasets' trainers.

        Args:
            images: (S, C, Z, Y, X).
            labels: (S, 1, Z, Y, X).
            layout: layout of the batch.
        """
        parts = zip(self.dataset_trainers, layout.annotated(images), layout.annotated(labels), strict=True)
        for trainer, scans, its_labels in parts:
            own = scans[:, : trainer.channels]
            augmented = trainer.augmented(own, its_labels)
            if augmented is not own:
                own.copy_(augmented)

    def augmented(self, scans: Tensor, labels: Tensor) -> Tensor:
        """Annotated scans of this dataset with other intensities, besides nnU-Net's augmentation: the same scans.

        Args:
            scans: (B, C, Z, Y, X).
            labels: their labels (B, 1, Z, Y, X).
        """
        return scans

    # ---- network and optimizer

    @property
    def classes(self) -> int:
        """K, with background."""
        return self.label_manager.num_segmentation_heads

    def activate(self, modalities: Iterable[int]) -> None:
        """Tell the network of which modalities a batch holds scans."""
        self.module.active = tuple(modalities)

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """nnU-Net's hook, by the names that it goes by: the method's network (:meth:`network_of`)."""
        plans = plans_manager.plans
        with exit_on_user_error():  # nnU-Net's own commands predict by the plans of a model, whoever wrote them
            check_form("plans.json", plans, REMEDY, OF_A_NETWORK)
            hyperparameters = complete(plans["mass"]["hyperparameters"], cls.CHANGES)
            regions = plans["mass"].get("regions")
            measures = (num_input_channels, classes_of_network(regions, num_output_channels), enable_deep_supervision)
            blueprint = Blueprint(plans_manager, configuration_manager, *measures, hyperparameters)
            network = blueprint.adapting(cls.network_of(blueprint))
        if regions:
            offer_regions(network, regions)
        return network

    @classmethod
    def network_of(cls, blueprint: Blueprint) -> nn.Module:
        """The network of the method: nnU-Net's own."""
        return blueprint.unet()

    def set_deep_supervision_enabled(self, enabled: bool) -> None:
        """As in nnU-Net, for the U-Nets of all modalities."""
        set_deep_supervision(self.module, enabled)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, ScaledPolyLR]:
        """AdamW with nnU-Net's decay of the learning rate."""
        optimizer = torch.optim.AdamW(self.parameter_groups(), self.initial_lr, weight_decay=self.weight_decay)
        return optimizer, ScaledPolyLR(optimizer, self.initial_lr, self.num_epochs)

    def parameter_groups(self) -> list[dict]:
        """The optimizer's groups of parameters: ``params``, and ``scale``, their share of the learning rate."""
        return [{"params": list(self.network.parameters()), "scale": 1.0}]

    # ---- the datasets of the group

    def initialize(self) -> None:
        """Build the network, and a trainer for each other dataset of the group around it."""
        with exit_on_user_error():
            self.dataset_trainers = self.make_dataset_trainers()
            lend_annotated_scans(self.dataset_trainers)
            if self.compares_modalities:
                refuse_lonely_modality(self.dataset_trainers)
        super().initialize()
        self.layouts = LayoutSequence(self.layout)
        if self.device.type == "cpu":
            use_channels_last(self.network)
        if self.is_ddp:
            # The buffers are the atlases, which each process makes from the same scans: none is sent in each forward.
            self.network.broadcast_buffers = False
        self.activate(range(len(self.dataset_trainers)))
        for trainer in self.dataset_trainers:
            trainer.network, trainer.optimizer, trainer.logger = self.network, self.optimizer, self.logger
            trainer.grad_scaler, trainer.disable_checkpointing = self.grad_scaler, self.disable_checkpointing
            trainer.dataset_class, trainer.batch_size = self.dataset_class, self.batch_size
            trainer.hyperparameters = self.hyperparameters
            trainer.oversample_foreground_percent = self.oversample_foreground_percent

    @property
    def layout(self) -> Layout:
        """The layout of a training batch that has all of its scans; with several processes, of this one's share."""
        borrowing = tuple(m for m, trainer in enumerate(self.dataset_trainers) if trainer.lender is not None)
        unlabelled = self.hyperparameters.unlabelled_per_step
        return Layout(len(self.dataset_trainers), self.batch_size, unlabelled, borrowing=borrowing)

    @property
    def compares_modalities(self) -> bool:
        """Whether a term of the objective compares two modalities."""
        return False

    @property
    def processes(self) -> int:
        """How many processes train together, one a GPU."""
        return dist.get_world_size() if self.is_ddp else 1

    def wait(self) -> None:
        """Wait for the other processes that train together."""
        if self.processes > 1:
            dist.barrier()

    def refuse_lonely_scans(self, consequence: str) -> None:
        """Make sure that each process has more than one annotated scan of a modality in a step.

        Args:
            consequence: what an annotated scan that is alone is or does, for the message.

        Raises:
            UserError: it has one, by the plans' batch and the number of processes.
        """
        batch = self.configuration_manager.batch_size
        if batch // self.processes < 2:
            gpus = f" on {self.processes} GPUs" if self.processes > 1 else ""
            plans = Path(self.preprocessed_dataset_folder_base) / f"{self.plans_manager.plans_name}.json"
            raise UserError(
                f"{plans}: with a batch of {batch}{gpus} an annotated scan is alone in a step, and {consequence}: "
                f"plan the group again with --batch-size {2 * self.processes} or more (and --no-preprocess)"
            )

    def make_dataset_trainers(self) -> list["GroupTrainer"]:
        """One trainer a modality, in the order of the plans; this one among them.

        Raises:
            UserError: a partner's plans are missing, are of another planning, or of another number of channels than a
                method can do with.
        """
        plans, name = self.plans_manager.plans, self.configuration_name
        trainers = []
        for dataset in planned_datasets(plans, self.dataset_json, name, self.trains_group):
            if dataset.plans is plans:
                trainers.append(self)
            else:
                arguments = (dataset.plans | {"continue_training": False}, name, self.fold, dataset.dataset_json)
                trainers.append(type(self)(*arguments, self.device))
        if self.needs_same_channels and len({trainer.channels for trainer in trainers}) > 1:
            names = " and ".join(trainer.plans_manager.dataset_name for trainer in trainers)
            raise UserError(
                f"{type(self).__name__} needs scans with as many channels in all datasets, and {names} differ: use "
                "MASSTrainer, or make datasets of as many channels"
            )
        return trainers

    def get_dataloaders(self) -> tuple:
        """Augmented batches of the whole group (:class:`GroupLoader`), for training and validation."""
        layout = self.layout
        pairs = [trainer.loaders(layout.labelled, layout.unlabelled) for trainer in self.dataset_trainers]
        training = self.stack([loader for loaders, _ in pairs for loader in loaders])
        validation = GroupLoader([loader for _, loader in pairs])
        return augmenters(
            training,
            validation,
            get_allowed_n_proc_DA(),
            rank=self.local_rank,
            ordered=self.is_ddp,
            pin_memory=self.device.type == "cuda",
        )

    def stack(self, loaders: list[nnUNetDataLoader]) -> GroupLoader:
        """The loader of training batches, from those of each modality's annotated and then its unlabelled scans."""
        return GroupLoader(loaders)

    # ---- validation

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """nnU-Net's validation of each dataset with its own modality's model."""
        with self.alone():
            for modality, trainer in enumerate(self.dataset_trainers):
                self.activate([modality])
                trainer.validate_own_dataset(save_probabilities)
        self.activate(range(len(self.dataset_trainers)))
