"""The steps of the demo: each is one command line that a user would type, and what it writes."""

from dataclasses import dataclass, field
from pathlib import Path

from mass_nnunet.runtime.env import HOOK_FOLDER

from .settings import Settings

SUPERVISED, MASS = "SupervisedTrainer", "MASSTrainer"
METHODS = (SUPERVISED, MASS)
PLANS, CONFIGURATION = "MASSPlans", "3d_fullres"


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
_IDS = tuple(str(modality.dataset_id) for modality in MODALITIES)


@dataclass(frozen=True)
class Folders:
    """Where things lie below the demo's folder."""

    root: Path

    def raw(self, modality: Modality, part: str = "") -> Path:
        return self.root / "nnUNet_raw" / modality.dataset / part

    def preprocessed(self, modality: Modality) -> Path:
        return self.root / "nnUNet_preprocessed" / modality.dataset

    def model(self, modality: Modality, method: str) -> Path:
        name = f"{method}__{PLANS}__{CONFIGURATION}"
        return self.root / "nnUNet_results" / modality.dataset / name

    def fold(self, modality: Modality, method: str) -> Path:
        return self.model(modality, method) / "fold_0"

    def predictions(self, modality: Modality, method: str) -> Path:
        return self.root / "predictions" / f"{modality.name}_{method}"

    def scores(self, modality: Modality, method: str) -> Path:
        return self.root / "scores" / f"{modality.name}_{method}.csv"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def environment(self) -> dict[str, str]:
        """What a user exports once, ``mass_nnunet env`` prints it; and how many processes nnU-Net starts."""
        names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
        return {
            **{name: str(self.root / name) for name in names},
            "nnUNet_extTrainer": str(HOOK_FOLDER),
            "nnUNet_n_proc_DA": "1",
            "nnUNet_def_n_proc": "2",
        }


@dataclass(frozen=True)
class Step:
    """One command of the demo."""

    name: str  # of its log and of its marker
    command: tuple[str, ...]
    outputs: tuple[Path, ...] = field(default=())  # folders that are removed before it starts anew
    epochs: int = 0  # of a training
    fold: Path | None = None  # where a training writes its checkpoints


def demo_steps(folders: Folders, settings: Settings) -> list[Step]:
    """All steps in their order."""
    return [
        *_data(folders, settings),
        *(_train(folders, settings, SUPERVISED, [modality]) for modality in MODALITIES),
        _train(folders, settings, MASS, list(MODALITIES)),
        *(_predict(folders, modality, method) for method in METHODS for modality in MODALITIES),
        *(_evaluate(folders, modality, method) for method in METHODS for modality in MODALITIES),
    ]


def _data(folders: Folders, settings: Settings) -> list[Step]:
    phantom = folders.root / "phantom"
    counts = []
    for modality in MODALITIES:
        option = modality.name.lower()
        counts += [f"--{option}", settings.labelled_per_modality]
        counts += [f"--unlabelled-{option}", settings.unlabelled_per_modality]
    draw = _words("mass_nnunet", "phantom", phantom, *counts, "--size", *settings.size, "--seed", settings.seed)
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
        *("mass_nnunet", "plan", "-d", *_IDS, "--patch-size", *settings.patch_size, "--features", settings.features),
        *("--epochs", settings.epochs, "--iterations", settings.iterations, "-np", 2),
    )
    return [Step("phantom", draw, outputs=(phantom,)), *convert, Step("split", split), Step("plan", plan)]


def _train(folders: Folders, settings: Settings, method: str, trained: list[Modality]) -> Step:
    """Training of ``method``, which is started for the first modality and trains all of ``trained``."""
    first = trained[0]
    return Step(
        f"train_{method}_{'_'.join(m.name for m in trained)}",
        _words("nnUNetv2_train", first.dataset_id, CONFIGURATION, 0, "-tr", method, "-p", PLANS, "-device", "cpu"),
        outputs=tuple(folders.model(m, method) for m in trained),
        epochs=settings.epochs,
        fold=folders.fold(first, method),
    )


def _predict(folders: Folders, modality: Modality, method: str) -> Step:
    output = folders.predictions(modality, method)
    command = _words(
        *("nnUNetv2_predict", "-d", modality.dataset_id, "-i", folders.raw(modality, "imagesTs"), "-o", output),
        *("-c", CONFIGURATION, "-f", 0, "-tr", method, "-p", PLANS, "-device", "cpu"),
        *("--disable_tta", "-npp", 1, "-nps", 1),
    )
    return Step(f"predict_{modality.name}_{method}", command, outputs=(output,))


def _evaluate(folders: Folders, modality: Modality, method: str) -> Step:
    where = folders.predictions(modality, method), folders.raw(modality, "labelsTs")
    command = _words("mass_nnunet", "evaluate", *where, "--csv", folders.scores(modality, method), "-np", 1)
    return Step(f"evaluate_{modality.name}_{method}", command)


def _words(*parts: object) -> tuple[str, ...]:
    return tuple(str(part) for part in parts)
