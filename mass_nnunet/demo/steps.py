"""The steps of the demo: each is one command line that a user would type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mass_nnunet.benchmark.run.grid import Grid, to_yaml
from mass_nnunet.benchmark.run.state import read_record
from mass_nnunet.hyperparameters import INFERENCES
from mass_nnunet.runtime.env import HOOK_FOLDER

from .settings import Settings

LABELS_ALONE, MASS = "DualStreamTrainer", "MASSTrainer"


@dataclass(frozen=True)
class Modality:
    """One of the two datasets."""

    name: str
    dataset_id: int
    source: str

    @property
    def dataset(self) -> str:
        """The folder's name, as ``mass_nnunet convert`` makes it."""
        return f"Dataset{self.dataset_id}_{self.source.upper()}"


CT, MRI = Modality("CT", 801, "btcv"), Modality("MRI", 802, "chaos")
MODALITIES = (CT, MRI)
METHODS = (LABELS_ALONE, MASS)
"""The compared methods; each trains both modalities in one run."""
_IDS = tuple(str(modality.dataset_id) for modality in MODALITIES)


@dataclass(frozen=True)
class Folders:
    """Paths of the demo's files below its folder."""

    root: Path

    def raw(self, modality: Modality) -> Path:
        return self.root / "nnUNet_raw" / modality.dataset

    def preprocessed(self, modality: Modality) -> Path:
        return self.root / "nnUNet_preprocessed" / modality.dataset

    @property
    def grid(self) -> Path:
        """The YAML file of the benchmark."""
        return self.root / "grid.yaml"

    @property
    def benchmark(self) -> Path:
        """Output folder of the grid."""
        return self.root / "benchmark"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def environment(self, grid: Grid) -> dict[str, str]:
        """Environment variables: those that ``mass_nnunet env`` prints, and nnU-Net's numbers of processes."""
        return {
            "nnUNet_raw": str(self.root / "nnUNet_raw"),
            "nnUNet_preprocessed": str(self.root / "nnUNet_preprocessed"),
            "nnUNet_results": str(grid.models),
            "nnUNet_extTrainer": str(HOOK_FOLDER),
            "nnUNet_n_proc_DA": "1",
            "nnUNet_def_n_proc": "2",
        }


@dataclass(frozen=True)
class Step:
    """One command of the demo."""

    name: str  # name of its log and its marker
    command: tuple[str, ...]
    files: Mapping[Path, str] = field(default_factory=dict)  # input text files, written before it starts
    outputs: tuple[Path, ...] = ()  # folders that are removed before it is repeated from the start
    epochs: int = 0  # total number of epochs of its trainings
    cells: Path | None = None  # folder with the logs of a benchmark's trainings
    again: Callable[[], Sequence[str]] = tuple  # further options if it continues after an interruption


def demo_grid(folders: Folders, settings: Settings) -> Grid:
    """Grid of both methods on one split, with the default inference."""
    return Grid(
        datasets=tuple(modality.dataset_id for modality in MODALITIES),
        methods=METHODS,
        label_rates=(settings.label_rate,),
        seeds=(0,),
        output=folders.benchmark,
        device="cpu",
        inference=INFERENCES[-1:],
        note="The demo of mass-nnunet: synthetic phantoms, not patients.",
    )


def demo_steps(folders: Folders, settings: Settings) -> list[Step]:
    """All steps in their order."""
    return [*_preparation(folders, settings), *_benchmark(folders, settings)]


def _preparation(folders: Folders, settings: Settings) -> list[Step]:
    phantom = folders.root / "phantom"
    counts: list[object] = []
    for modality in MODALITIES:
        option = modality.name.lower()
        counts += [f"--{option}", settings.labelled_per_modality]
        counts += [f"--unlabelled-{option}", settings.unlabelled_per_modality]
    make = _words("mass_nnunet", "phantom", phantom, *counts, "--size", *settings.size, "--seed", settings.seed)
    convert = [
        Step(
            f"convert_{m.source}",
            _words("mass_nnunet", "convert", m.source, phantom / m.source.upper(), "-d", m.dataset_id),
            outputs=(folders.raw(m), folders.preprocessed(m)),
        )
        for m in MODALITIES
    ]
    split = _words("mass_nnunet", "split", "-d", *_IDS, "--label-rates", settings.label_rate, "--seeds", 1)
    plan = _words(
        *("mass_nnunet", "plan", "-d", *_IDS, "--spacing", "fit", "--patch-size", *settings.patch_size),
        *("--features", settings.features, "--epochs", settings.epochs, "--iterations", settings.iterations, "-np", 2),
    )
    return [Step("phantom", make, outputs=(phantom,)), *convert, Step("split", split), Step("plan", plan)]


def _benchmark(folders: Folders, settings: Settings) -> list[Step]:
    run = Step(
        "benchmark_run",
        _words("mass_nnunet", "benchmark", "run", folders.grid),
        files={folders.grid: to_yaml(demo_grid(folders, settings), folders.benchmark.name)},
        outputs=(folders.benchmark, folders.pictures),
        epochs=len(METHODS) * settings.epochs,
        cells=folders.benchmark / "cells",
        again=lambda: _retries(folders.benchmark / "cells"),
    )
    return [run, Step("benchmark_report", _words("mass_nnunet", "benchmark", "report", folders.grid))]


def _retries(cells: Path) -> tuple[str, ...]:
    """Options of the benchmark that retry failed cells when the demo is started again."""
    failures = max((read_record(cell).get("failures", 0) for cell in cells.glob("*")), default=0)
    return ("--retries", str(failures)) if failures else ()


def _words(*parts: object) -> tuple[str, ...]:
    return tuple(str(part) for part in parts)
