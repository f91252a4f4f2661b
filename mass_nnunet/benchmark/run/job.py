"""A job: a cell of the grid with its datasets, fold and kind of training."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mass_nnunet.data.raw import TEST, RawDataset

from .entries import External, Method
from .grid import Cell, Grid


@dataclass(frozen=True)
class Tested:
    """A dataset with test scans that are predicted and scored."""

    dataset: RawDataset
    modality: str

    @property
    def images(self) -> Path:
        """Folder of the test scans."""
        return self.dataset.folder / TEST

    @property
    def truth(self) -> Path:
        """Folder of the true label maps."""
        return self.dataset.label_folder(TEST)


class Schedule(NamedTuple):
    """The schedule of a trainer that is not of this package; the others take theirs from the plans."""

    epochs: int
    iterations: int
    validation_iterations: int


@dataclass(frozen=True)
class ModelName:
    """A model as nnU-Net's commands name it.

    Attributes:
        trainer: name of the trainer class.
        plans: name of the plans.
        configuration: name of the configuration.
        fold: number of the fold.
        device: ``cuda``, ``cpu`` or ``mps``, on which it is trained and predicts.
    """

    trainer: str
    plans: str
    configuration: str
    fold: int
    device: str


@dataclass(frozen=True)
class Job:
    """A cell, with its names looked up and checked."""

    grid: Grid
    cell: Cell
    fold: int
    together: bool
    """Whether one training gives the models of all modalities."""
    choices: tuple[str, ...]
    """Inferences that the network offers; empty for a network without a choice."""
    tested: tuple[Tested, ...]
    inputs: str
    """Digest of the plans and the fold, or of the predictions of another tool.

    A cell that was begun with other plans or another fold is refused, one with other predictions is scored again.
    """
    external: External | None = None
    """The tool that made the predictions; None for a method that is trained."""
    predicted: Path | None = None
    """Folder of that tool's predictions, with a subfolder for each dataset."""
    schedule: Schedule | None = None
    """Schedule of a trainer that is not of this package, which is trained on isolated data; None for the others."""

    @property
    def method(self) -> Method:
        """Trainer, plans and configuration of the cell."""
        return self.grid.method(self.cell.method)

    @property
    def model(self) -> ModelName:
        """The model of the cell; there is one of this name for each dataset."""
        method = self.method
        return ModelName(method.trainer, method.plans, method.configuration, self.fold, self.grid.device)

    @property
    def isolated(self) -> Path:
        """Folder of the data for a trainer that is not of this package; it is removed when the cell is done."""
        return self.folder / "isolated"

    @property
    def models(self) -> Path:
        """nnUNet_results of the cell's trainings.

        nnU-Net predicts all folds of a folder with the plans of the fold that was begun last. Isolated data have plans
        of their own in each fold (isolation.py), so such a cell has its own folder.
        """
        return self.grid.models_of(self.cell.method) if self.schedule is None else self.folder / "models"

    @property
    def inferences(self) -> tuple[str, ...]:
        """Inferences by which the test scans are predicted."""
        return tuple(name for name in self.grid.inference if name in self.choices) or ("segmentation",)

    @property
    def folder(self) -> Path:
        """Folder of the cell's files."""
        return self.grid.output / "cells" / self.cell.name

    @property
    def trainings(self) -> list[list[RawDataset]]:
        """Datasets of each training, which is started for the first of them; none for another tool."""
        if self.external is not None:
            return []
        datasets = [tested.dataset for tested in self.tested]
        return [datasets] if self.together else [[dataset] for dataset in datasets]

    def predictions(self, tested: Tested, inference: str) -> Path:
        """Folder of the predicted label maps."""
        if self.predicted is not None:
            return self.predicted / tested.dataset.name
        return self.folder / "predictions" / f"{tested.dataset.name}_{inference}"
