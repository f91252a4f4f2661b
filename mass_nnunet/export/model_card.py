"""The model card of an exported model: its training data, its training, its scores and its limits."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import pandas as pd

from mass_nnunet.data.splits import Fold
from mass_nnunet.evaluation.metrics import DICE, HD95, Metric
from mass_nnunet.evaluation.scores import summarize
from mass_nnunet.hyperparameters import complete
from mass_nnunet.labels import BACKGROUND, IGNORE

from .adapted_model import ADAPTED

MODEL_CARD = "MODEL_CARD.md"
_UNKNOWN_SPLITS = "not known where the model was exported"
_PACKAGES = ("mass-nnunet", "nnunetv2", "dynamic-network-architectures", "torch")
_CITATIONS = (
    "Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, "
    "Nature Methods 2021",
    "Chen et al., MASS: Modality-collaborative semi-supervised segmentation by exploiting cross-modal consistency from "
    "unpaired CT and MRI images, Medical Image Analysis 2022",
)


_KINDS = {
    "segmentation": "A plain U-Net for stock nnU-Net v2",
    ADAPTED: "A U-Net with intensity adaptation for nnU-Net v2 with mass-nnunet installed beside it",
}
_LEFT_OUT = {
    "segmentation": "It does not do what the original model does with its atlases and with a scan's own intensities.",
    ADAPTED: "It does not do what the original model does with its atlases.",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The content of a model card.

    Attributes:
        plans: the plans, with their ``mass`` part.
        dataset: the content of dataset.json.
        configuration: its name in the plans.
        trainer: class that trained the model.
        inference: what the exported model predicts by.
        exported_trainer: name of the trainer that the exported model has.
        checkpoints: file names in each fold.
        folds: cases of each trained fold and each training dataset; None if they are not known.
        validation: Dice by organ on the validation scans of each fold.
        validation_note: reason for missing validation scores.
        scores: rows of :func:`evaluation.evaluate_folder` for this model.
        licence: licence of the model; None if it is not known.
        references: references to cite for the data.
        outside: number of label maps of another tool that each fold was trained with; those without any are absent.
    """

    plans: dict[str, Any]
    dataset: dict[str, Any]
    configuration: str
    trainer: type
    inference: str
    exported_trainer: str
    checkpoints: Sequence[str]
    folds: Mapping[int, Mapping[str, Fold | None]]
    validation: Mapping[int, Mapping[str, float]]
    validation_note: str
    scores: pd.DataFrame | None
    licence: str | None
    references: Sequence[str]
    outside: Mapping[int, int] = field(default_factory=dict)


def model_card(facts: Facts) -> str:
    """The model card as Markdown; it names no scan and no patient."""
    mass, name = facts.plans["mass"], facts.plans["dataset_name"]
    organs = [organ for organ in facts.dataset["labels"] if organ not in (BACKGROUND, IGNORE)]
    parts = [
        f"# {name}: {', '.join(organs)} on {mass['modality']}",
        f"{_KINDS[facts.inference]}, exported by mass-nnunet from a model of `{facts.trainer.__name__}`. It "
        "is the segmentation branch alone and holds no image of any patient.",
        _use(facts),
        *_data(facts, organs),
        *_training(facts),
        "## Scores",
        *_scores(facts),
        *_limits(facts),
        "## Licence",
        facts.licence or "Not stated. Ask the owners of the data before you use or pass on the model.",
        "## Citation",
        _bullets(dict.fromkeys([*_CITATIONS, *facts.references])),
        "## Versions",
        _bullets([f"{package} {version(package)}" for package in _PACKAGES] + [f"Python {platform.python_version()}"])
        + "\n\nThese versions exported the model; it may have been trained with others.",
    ]
    return "\n\n".join(parts) + "\n"


def _use(facts: Facts) -> str:
    words = [
        f"nnUNetv2_predict -d {facts.plans['dataset_name']} -i IN -o OUT -tr {facts.exported_trainer}",
        f"-p {facts.plans['plans_name']} -c {facts.configuration} -f {' '.join(str(fold) for fold in facts.folds)}",
        f"-chk {facts.checkpoints[0]}",
    ]
    commands = ["nnUNetv2_install_pretrained_model_from_zip MODEL.zip", " ".join(words)]
    if facts.inference == ADAPTED:
        commands = ['eval "$(mass_nnunet env)"', *commands]  # nnU-Net finds the trainer by it
    return "\n".join(f"    {line}" for line in commands)


def _data(facts: Facts, organs: Sequence[str]) -> list[str]:
    modality_of = {entry["dataset"]: entry["name"] for entry in facts.plans["mass"]["modalities"]}
    rows = [
        (dataset, modality_of[dataset], number, *_counts(fold))
        for number, datasets in facts.folds.items()
        for dataset, fold in datasets.items()
    ]
    columns = ("dataset", "modality", "fold", "labelled", "unlabelled", "validation", "label rate", "seed")
    labels = ", ".join(f"{facts.dataset['labels'][organ]} {organ}" for organ in organs)
    description = facts.dataset.get("description")
    return [
        "## Data",
        *([str(description)] if description else []),
        _table(columns, rows),
        "Numbers of scans, from the splits as they were at the export. Labels of unlabelled scans were not read"
        f"{_outside(facts)}. The validation scans of a fold were not trained on in that fold; `checkpoint_best.pth` is "
        "chosen by them.",
        f"Labels: {labels}.",
    ]


def _outside(facts: Facts) -> str:
    if not facts.outside:
        return ""
    maps = ", ".join(f"{count} in fold {number}" for number, count in facts.outside.items())
    return f", but label maps of them that another tool made were joined with the propagated labels ({maps})"


def _counts(fold: Fold | None) -> tuple[Any, ...]:
    if fold is None:
        return (_UNKNOWN_SPLITS, *["?"] * 4)
    return len(fold.train), len(fold.unlabelled), len(fold.val), f"{fold.label_rate:g}", fold.seed


def _training(facts: Facts) -> list[str]:
    mass, settings = facts.plans["mass"], facts.plans["configurations"][facts.configuration]
    spacing = " x ".join(f"{size:.3g}" for size in settings["spacing"])
    patch = " x ".join(str(size) for size in settings["patch_size"])
    summary = (facts.trainer.__doc__ or "").strip().splitlines()
    return [
        "## Training",
        _bullets(
            [
                f"`{facts.trainer.__name__}`: {summary[0] if summary else 'no description'}",
                f"schedule: {mass['epochs']} epochs of {mass['iterations']} steps",
                f"{settings['batch_size']} labelled scans per step and dataset",
                f"patch {patch} voxels, spacing {spacing} mm (z y x)",
                f"network `{settings['architecture']['network_class_name'].rpartition('.')[2]}`, "
                f"checkpoint {', '.join(facts.checkpoints)}",
            ]
        ),
        *_hyperparameters(facts),
    ]


def _hyperparameters(facts: Facts) -> list[str]:
    """Hyperparameters of the training, as JSON; an empty list for a trainer without hyperparameters."""
    if not hasattr(facts.trainer, "CHANGES"):
        return []
    used = complete(facts.plans["mass"]["hyperparameters"], facts.trainer.CHANGES).as_plans()
    return [f"```json\n{json.dumps(used, indent=2)}\n```"]


def _scores(facts: Facts) -> list[str]:
    parts: list[str] = []
    for number, dice in facts.validation.items():
        rows = [(organ, DICE.text(value)) for organ, value in dice.items()]
        parts += [f"Mean Dice on the validation scans of fold {number}:", _table(("organ", DICE.title), rows)]
    if not facts.validation:
        parts.append(facts.validation_note)
    if facts.scores is not None:
        dice, hd95 = (summarize(facts.scores, ["organ"], metric.column) for metric in (DICE, HD95))
        summary = [
            (row.Index, row.cases, _spread(DICE, row), _spread(HD95, far), far.missed)
            for row, far in zip(dice.itertuples(), hd95.itertuples(), strict=True)
        ]
        parts += [
            "By `mass_nnunet evaluate`, as given by whoever exported the model; mean ± standard deviation over scans:",
            _table(("organ", "scans", DICE.title, HD95.title, "not found"), summary),
        ]
    return parts


def _spread(metric: Metric, row: Any) -> str:
    return f"{metric.text(row.mean)} ± {metric.text(row.sd)}"


def _limits(facts: Facts) -> list[str]:
    modality = facts.plans["mass"]["modality"]
    return [
        "## Intended use and limits",
        _bullets(
            [
                "For research. It is no medical device: a person has to look at every segmentation before it is used.",
                f"For {modality} scans like those it was trained on; other scanners, sequences, ages and diseases need "
                "a test of their own. It was trained from few labels where the label rate above is small.",
                "The scores hold for scans like those that they were measured on, and small numbers of scans "
                "leave them uncertain.",
                _LEFT_OUT[facts.inference],
                "The weights were learned from patients' scans; no scan is stored in them, but this is no proof "
                "that nothing can be reconstructed.",
            ]
        ),
    ]


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
