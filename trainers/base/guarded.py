"""nnU-Net's trainer, begun only where it can end well: with whole inputs, alone, and going on as it was begun."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.json_export import recursive_fix_for_json_export

from mass_nnunet.data.files import atomic_path
from mass_nnunet.data.paths import EARLIER_CHECKPOINT, FINAL_CHECKPOINT, LATEST_CHECKPOINT
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import UserError, exit_on_user_error
from mass_nnunet.runtime.exclusive import OwnFolders
from mass_nnunet.training.begun import KEY, begun_with, check_goes_on, dataset_key, outside_maps, scans_digest

from .command_line import only_validates
from .finite import check_weights, only_finite_steps
from .folders import (
    check_there,
    checkpoint_to_go_on_from,
    disk_failures_told,
    interruption_told,
    only_training_of,
    refuse_if_trained_meanwhile,
    results_folders,
)
from .inputs import check_inputs, check_plans, planned_datasets, possible_in
from .nnunet_private import use_plain_best_dice
from .pretrained import await_weights, pretrained_file


class GuardedTrainer(nnUNetTrainer):
    """nnU-Net's trainer with plans of ``mass_nnunet plan``; whatever is wrong ends it in one line.

    What is wrong with its inputs is said before nnU-Net makes a folder and a log.
    """

    trains_group: ClassVar[bool] = False
    """Whether one training gives the models of all datasets of the group."""

    claim = OwnFolders({}, "training")
    """The results folders that this process has for itself, in the course of a training."""

    CHANGES: ClassVar[dict[str, Any]] = {}
    """Hyperparameters that a method fixes, whatever the plans say, by their keys in the plans."""

    REVISION: ClassVar[int] = 1
    """Number of the method's objective: it rises when a training of an earlier version must not go on with it.

    It stands in checkpoints and in the cells of a benchmark. Weights alone do not have it: where a change touches
    predictions, too, the network has a version of its own (:attr:`PairNet._version`).
    """

    def __init__(
        self,
        plans: dict,
        configuration: str,
        fold: int,
        dataset_json: dict,
        device: torch.device = torch.device("cuda"),  # noqa: B008, nnU-Net reads this very signature
    ) -> None:
        with interruption_told(is_begun=False), exit_on_user_error(), disk_failures_told(is_begun=False):
            self._check_beginning(plans, configuration, fold, dataset_json)
            super().__init__(plans, configuration, fold, dataset_json, device)
        self.set_up()

    def set_up(self) -> None:
        """End of the construction, which subclasses extend: nnU-Net reads the signature of the constructor itself."""

    def _check_beginning(self, plans: dict, configuration: str, fold: int, dataset_json: dict) -> None:
        """Check plans, datasets and results folders, and the checkpoint that the training would go on from.

        Raises:
            UserError: something is wrong with them.
        """
        check_plans(plans, configuration)
        unlabelled, validates = self.reads_unlabelled(plans), only_validates()
        datasets = planned_datasets(plans, dataset_json, configuration, self.trains_group)
        for dataset in datasets:
            check_inputs(dataset, fold, unlabelled, only_validates=validates)
        self.possible = possible_in(datasets, fold)
        folders = results_folders(datasets, type(self).__name__, configuration, fold)
        refuse_if_trained_meanwhile(folders)
        self.results_folders = folders
        self.begun = {}
        self.arrays_read: dict[str, list[Path]] = {}  # of each dataset
        for dataset, folder in zip(datasets, folders, strict=True):
            cases = dataset.fold(fold)
            scans = [] if validates else dataset.scans(cases, unlabelled)
            outside = outside_maps(dataset.arrays, cases) if self.reads_outside(plans) else {}
            its_begun = begun_with(dataset.plans, self.CHANGES, cases, scans, outside)
            name = dataset_key(dataset.folder.name)
            self.begun[name] = its_begun | {"revision": self.REVISION}
            self.arrays_read[name] = scans
            if dataset.plans is plans:
                own = folder
        if plans["continue_training"] and (earlier := checkpoint_to_go_on_from(own)) is not None:
            check_goes_on(earlier, self.begun, self.CHANGES)

    @property
    def module(self) -> Any:
        """The network without the wrappers of DDP and torch.compile."""
        network = getattr(self.network, "module", self.network)
        return getattr(network, "_orig_mod", network)

    def initialize(self) -> None:
        """As in nnU-Net; besides, make ready for pretrained weights, if nnU-Net will read some.

        Raises:
            SystemExit: they do not fit, or their file could run code.
        """
        super().initialize()
        if (file := pretrained_file()) is not None:
            with exit_on_user_error():
                await_weights(self.module, file)

    # ---- splits

    @classmethod
    def reads_unlabelled(cls, plans: dict[str, Any]) -> bool:
        """Whether a training by these plans reads the scans that have no labels in the fold."""
        return False

    @classmethod
    def reads_outside(cls, plans: dict[str, Any]) -> bool:
        """Whether a training by these plans reads the labels of another tool (data/outside.py)."""
        return False

    def do_split(self) -> tuple[list[str], list[str]]:
        """Annotated training cases and validation cases; nnU-Net would make up a split for a fold that is not there."""
        fold = self.fold_cases()
        return list(fold.train), list(fold.val)

    def fold_cases(self) -> Fold:
        """The cases of this dataset's fold.

        Raises:
            SystemExit: the fold does not exist, in one clear line.
        """
        with exit_on_user_error():
            return load_fold(Path(self.preprocessed_dataset_folder_base), self.fold)

    # ---- what may go wrong in the course of a training

    def prepare(self, batch: dict) -> dict:
        """The input of network and loss in a training step: the batch itself."""
        return batch

    def train_step(self, batch: dict) -> dict:
        """nnU-Net's step on what :meth:`prepare` makes of the batch; the training ends if its loss is not finite."""
        with only_finite_steps(batch, self.current_epoch) as check_loss:
            result = super().train_step(self.prepare(batch))
            check_loss(result["loss"])
        return result

    def validation_step(self, batch: dict) -> dict:
        """As in nnU-Net; the training ends if the loss is not finite."""
        with only_finite_steps(batch, self.current_epoch) as check_loss:
            result = super().validation_step(batch)
            check_loss(result["loss"])
        return result

    def run_training(self) -> None:
        """As in nnU-Net; it ends in one line if another training is writing into these results folders."""
        if not self.was_initialized:
            self.initialize()
        with exit_on_user_error():
            check_there(*self.results_folders)  # a lock would make them
        with self.alone() as self.claim:
            super().run_training()

    def on_epoch_end(self) -> None:
        """As in nnU-Net, which writes checkpoints then.

        Raises:
            SystemExit: the scans were preprocessed anew meanwhile. `mass_nnunet plan` sees no training whose results
                are elsewhere than in nnU-Net's folder, as those of a benchmark are.
            UserError: another training has taken the results folders over.
        """
        self.claim.check()
        with exit_on_user_error():
            for name, arrays in self.arrays_read.items():
                if scans_digest(arrays) != self.begun[name]["scans"]:
                    raise UserError(
                        f"preprocessed scans of {name} were changed while this training read them: train again, or "
                        "restore them and go on with --c from the last checkpoint"
                    )
        super().on_epoch_end()

    def alone(self) -> AbstractContextManager[OwnFolders]:
        """The locks of the results folders, which the first process of a training has for all."""
        return only_training_of(self.results_folders if self.local_rank == 0 else [])

    # ---- checkpoints

    def save_checkpoint(self, filename: str) -> None:
        """Write nnU-Net's checkpoint, whole or not at all."""
        if self.local_rank == 0 and not self.disable_checkpointing:
            self.save_own_checkpoint(Path(filename).name, self.state_besides(Path(filename).name))

    def state_besides(self, checkpoint: str) -> dict[str, Any]:
        """Entries of the checkpoint of this name in addition to nnU-Net's own: tensors and plain values."""
        return {KEY: self.begun}

    def save_own_checkpoint(self, name: str, besides: dict[str, Any]) -> None:
        """Write nnU-Net's checkpoint, with these entries besides, into this dataset's results folder.

        It is written whole or not at all, with plain numbers instead of NumPy's: ``torch.load(weights_only=True)``
        reads it.

        Where a training goes on that was finished before, nnU-Net would go on from the finished model if it was killed.
        So ``checkpoint_latest.pth`` sets that aside, as ``EARLIER_CHECKPOINT``, until there is a new finished model.

        Raises:
            SystemExit: a weight is not finite, or the results folder is gone or full.
        """
        recursive_fix_for_json_export(self.logger.get_checkpoint())
        use_plain_best_dice(self)
        folder = Path(self.output_folder)
        with exit_on_user_error():
            check_there(folder)  # atomic_path would make it
        with exit_on_user_error(), disk_failures_told(folder / name), atomic_path(folder / name) as temporary:
            check_weights(self.network.state_dict(), self.current_epoch)
            super().save_checkpoint(str(temporary))
            checkpoint = torch.load(temporary, map_location="cpu", weights_only=True)
            torch.save(checkpoint | besides, temporary)
        if name == LATEST_CHECKPOINT and (finished := folder / FINAL_CHECKPOINT).exists():
            finished.replace(folder / EARLIER_CHECKPOINT)
        if name == FINAL_CHECKPOINT:
            (folder / EARLIER_CHECKPOINT).unlink(missing_ok=True)

    def load_checkpoint(self, file: str, /) -> None:
        """As in nnU-Net, if the training was begun with the same plans, split and scans.

        Args:
            file: the checkpoint; by position, as its name differs between versions of nnU-Net.

        Raises:
            SystemExit: it was not, or the checkpoint has another network.
        """
        with exit_on_user_error():
            check_goes_on(Path(file), self.begun, self.CHANGES, only_validates=only_validates())
            try:
                super().load_checkpoint(file)
            except (RuntimeError, ValueError) as error:
                if "state_dict" not in str(error) and "parameter group" not in str(error):
                    raise
                raise UserError(
                    f"{file} holds another network than this version of mass_nnunet builds: train "
                    "without --c to begin anew, or with the version that wrote it"
                ) from None
