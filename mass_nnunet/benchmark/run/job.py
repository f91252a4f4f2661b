"""A cell of the grid with all that the work on it needs."""

from dataclasses import dataclass
from pathlib import Path

from mass_nnunet.data.raw import TEST, RawDataset

from .grid import Cell, Grid


@dataclass(frozen=True)
class Tested:
    """A dataset whose test scans are predicted and scored."""

    dataset: RawDataset
    modality: str

    @property
    def images(self) -> Path:
        return self.dataset.folder / TEST

    @property
    def truth(self) -> Path:
        return self.dataset.label_folder(TEST)


@dataclass(frozen=True)
class Job:
    """One cell, ready to be worked on."""

    grid: Grid
    cell: Cell
    fold: int
    together: bool
    """Whether one training trains all modalities."""
    choices: tuple[str, ...]
    """What the network can predict by; empty where there is no choice."""
    tested: tuple[Tested, ...]
    inputs: str
    """Digest of the plans and of the fold; a cell that was begun with another one is refused."""

    @property
    def inferences(self) -> tuple[str, ...]:
        """How the test scans are predicted."""
        return tuple(name for name in self.grid.inference if name in self.choices) or ("segmentation",)

    @property
    def folder(self) -> Path:
        """Folder of the cell's files."""
        return self.grid.output / "cells" / self.cell.name

    @property
    def trainings(self) -> list[list[RawDataset]]:
        """Datasets of each training; it is started for the first of them."""
        datasets = [tested.dataset for tested in self.tested]
        return [datasets] if self.together else [[dataset] for dataset in datasets]

    def predictions(self, tested: Tested, inference: str) -> Path:
        """Folder of the predicted label maps."""
        return self.folder / "predictions" / f"{tested.dataset.name}_{inference}"
