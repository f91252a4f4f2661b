"""JointTrainer: one log and one checkpoint for the results folders of several datasets."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from mass_nnunet.data.files import write_json
from mass_nnunet.data.paths import LATEST_CHECKPOINT
from mass_nnunet.reporting.figures import plot_terms

from .dataset import DatasetTrainer
from .nnunet_private import log_also, share_progress

PREFIX = "mass_"
"""Prefix of the keys under which the terms of the objective are logged."""


class JointTrainer(DatasetTrainer):
    """A training that gives the models of several datasets: log, pictures and checkpoints are in each results folder.

    The log has the terms of the objective, too.
    """

    TERMS: ClassVar[tuple[str, ...]] = ()
    """The terms and measures of the objective that are logged."""

    dataset_trainers: Sequence["JointTrainer"]
    """A trainer of each dataset; this one is among them."""

    def set_up(self) -> None:
        """As in :class:`DatasetTrainer`; besides, an empty log of the terms."""
        super().set_up()
        self.dataset_trainers = []
        self.epoch_terms: list[dict[str, Tensor]] = []  # of each step of this epoch
        log_also(self, (PREFIX + term for term in self.TERMS))

    @property
    def partners(self) -> list["JointTrainer"]:
        """The trainers of the other datasets."""
        return [trainer for trainer in self.dataset_trainers if trainer is not self]

    def train_step(self, batch: dict) -> dict:
        """As in :class:`GuardedTrainer`; the objective's terms are kept for the log."""
        result = super().train_step(batch)
        # They stay on the device until the end of the epoch: a GPU would have to wait in each step.
        self.epoch_terms.append({term: self.loss.terms[term] for term in self.TERMS})
        return result

    def on_train_start(self) -> None:
        """As in nnU-Net; besides, fill the other results folders."""
        super().on_train_start()
        if self.local_rank == 0:
            for partner in self.partners:
                folder = Path(partner.output_folder_base)
                write_json(folder / "plans.json", partner.plans_manager.plans)
                write_json(folder / "dataset.json", partner.dataset_json)
                fingerprint = Path(partner.preprocessed_dataset_folder_base) / "dataset_fingerprint.json"
                shutil.copyfile(fingerprint, folder / fingerprint.name)

    def on_train_epoch_end(self, train_outputs: list[dict]) -> None:
        """As in nnU-Net; each term's mean over the epoch goes into the log."""
        super().on_train_epoch_end(train_outputs)
        means = {term: float(torch.stack([step[term] for step in self.epoch_terms]).mean()) for term in self.TERMS}
        self.epoch_terms.clear()
        for term, value in means.items():
            self.logger.log(PREFIX + term, value, self.current_epoch)
        self.print_to_log_file(", ".join(f"{term} {value:.4f}" for term, value in means.items()))

    def on_epoch_end(self) -> None:
        """As in nnU-Net; the terms are drawn beside progress.png, in every results folder."""
        super().on_epoch_end()
        if self.local_rank == 0:
            own = Path(self.output_folder)
            plot_terms(self.logger.get_checkpoint(), own / "mass_terms.png", prefix=PREFIX)
            for partner in self.partners:
                for name in ("progress.png", "mass_terms.png"):
                    shutil.copyfile(own / name, Path(partner.output_folder) / name)

    def write_checkpoints(self, filename: str) -> None:
        """Write nnU-Net's checkpoint into every results folder, each whole or not at all."""
        for trainer in self.dataset_trainers:
            share_progress(self, trainer)
            trainer.inference_allowed_mirroring_axes = self.inference_allowed_mirroring_axes
            if self.local_rank == 0 and not self.disable_checkpointing:
                name = Path(filename).name
                trainer.save_own_checkpoint(name, self.state_besides(name))

    def on_train_end(self) -> None:
        """As in nnU-Net, for every results folder."""
        super().on_train_end()
        if self.local_rank == 0:
            for partner in self.partners:
                (Path(partner.output_folder) / LATEST_CHECKPOINT).unlink(missing_ok=True)
