"""The zip of a trained model without patients' images: its files and its card."""

import argparse
import contextlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.file_path_utilities import get_output_folder
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from mass_nnunet.api.loading import branches_of, load_model
from mass_nnunet.data.dataset_json import DATASET_JSON
from mass_nnunet.data.files import read_json
from mass_nnunet.data.paths import FINAL_CHECKPOINT, base_folder, dataset_name
from mass_nnunet.data.raw import licence_of, reference_of
from mass_nnunet.data.splits import Fold, load_fold
from mass_nnunet.errors import UserError
from mass_nnunet.evaluation.metrics import DICE, HD95
from mass_nnunet.labels import BACKGROUND
from mass_nnunet.runtime.checkpoint import read_checkpoint
from mass_nnunet.runtime.env import HOOK_FOLDER
from mass_nnunet.training.begun import KEY

from .adapted_model import ADAPTED, ADAPTED_TRAINER, adapted_checkpoint, adapted_plans
from .model_card import MODEL_CARD, Facts, model_card
from .plain_model import (
    TRAINER,
    as_bytes,
    check_trained,
    has_exclusive_classes,
    plain_checkpoint,
    public_dataset,
    public_plans,
    write_zip,
)

_NEEDED = {"case", "organ", DICE.column, HD95.column}


def write_model(args: argparse.Namespace) -> None:
    """Write the zip that the options of ``mass_nnunet export`` ask for."""
    os.environ.setdefault("nnUNet_extTrainer", str(HOOK_FOLDER))
    base_folder("results")
    folder = Path(get_output_folder(dataset_name(args.d), args.trainer, args.plans, args.configuration))
    if args.output.exists() and not args.force:
        raise UserError(f"{args.output} exists: give another name, or --force to replace it")
    check_trained(folder, args.folds, args.checkpoints)
    write_zip(args.output, _entries(args, folder))
    print(f"wrote {args.output}")


def _entries(args: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str | bytes]]:
    """Names and contents of the files in the zip; one checkpoint at a time is in memory."""
    plans = read_json(folder / "plans.json", "copy the results folder again")
    dataset = read_json(folder / "dataset.json", "copy the results folder again")
    if "mass" not in plans:
        raise UserError(f"{folder} was not trained with plans of `mass_nnunet plan`: use nnUNetv2_export_model_to_zip")
    scores = None if args.scores is None else read_scores(args.scores, dataset)
    adapted = args.inference == ADAPTED
    trainer = ADAPTED_TRAINER if adapted else TRAINER
    its_plans = adapted_plans(plans, _changes(folder)) if adapted else public_plans(plans)
    root = f"{folder.parent.name}/{trainer}__{args.plans}__{args.configuration}"
    for fold in args.folds:
        for name in args.checkpoints:
            with contextlib.redirect_stdout(io.StringIO()):  # where nnU-Net looks for the trainer
                predictor = load_model(folder, fold, name, torch.device("cpu"))
            if args.inference not in branches_of(predictor.network):
                raise UserError(f"{folder} does not predict by {args.inference}: export it without --inference")
            checkpoint = plain_checkpoint(predictor, args.configuration, fold)
            if adapted:
                checkpoint = adapted_checkpoint(checkpoint, its_plans, public_dataset(dataset))
            yield f"{root}/fold_{fold}/{name}", as_bytes(checkpoint)
    yield f"{root}/plans.json", json.dumps(its_plans, indent=4)
    yield f"{root}/dataset.json", json.dumps(checkpoint["init_args"]["dataset_json"], indent=4)
    yield f"{root}/{MODEL_CARD}", model_card(_facts(args, folder, plans, dataset, scores, predictor))


def _facts(
    args: argparse.Namespace,
    folder: Path,
    plans: dict,
    dataset: dict,
    scores: pd.DataFrame | None,
    predictor: nnUNetPredictor,
) -> Facts:
    network = predictor.network
    trainer = _trainer(predictor.trainer_name)
    together = getattr(trainer, "trains_group", False)
    trained_on = [entry["dataset"] for entry in plans["mass"]["modalities"]] if together else [plans["dataset_name"]]
    partners = {name: _dataset_json(name) for name in trained_on if name != plans["dataset_name"]}
    inference = getattr(network, "inference", "segmentation")
    validation, note = {}, "There are no scores of the validation scans."
    plain_regions = args.inference != ADAPTED and has_exclusive_classes(network)
    if plain_regions:
        note = "The validation scans were predicted by region; this model writes the most probable class of a voxel."
    elif inference != args.inference:
        # These scores belong to an inference that the exported model does not have.
        note = f"The validation scans were predicted by `{inference}`, which this model does not do."
    elif FINAL_CHECKPOINT in args.checkpoints:
        found = {fold: read_validation(folder / f"fold_{fold}", dataset) for fold in args.folds}
        validation = {fold: dice for fold, dice in found.items() if dice}
    outside = {fold: outside_count(folder / f"fold_{fold}" / args.checkpoints[0]) for fold in args.folds}
    return Facts(
        plans=plans,
        dataset=dataset,
        configuration=args.configuration,
        trainer=trainer,
        inference=args.inference,
        exported_trainer=ADAPTED_TRAINER if args.inference == ADAPTED else TRAINER,
        checkpoints=args.checkpoints,
        folds={fold: {name: _fold(name, fold) for name in trained_on} for fold in args.folds},
        validation=validation,
        validation_note=note,
        scores=scores,
        licence=args.licence or stated_licence({plans["dataset_name"]: dataset, **partners}),
        outside={fold: count for fold, count in outside.items() if count},
        references=list(filter(None, map(reference_of, [dataset, *partners.values()]))),
    )


def outside_count(checkpoint: Path) -> int:
    """The number of label maps of another tool that a checkpoint was trained with; older versions do not tell it."""
    begun = read_checkpoint(checkpoint).get(KEY, {})
    return sum(its.get("outside", {}).get("maps", 0) for its in begun.values())


def _trainer(name: str) -> type:
    """The class of a trainer."""
    with contextlib.redirect_stdout(io.StringIO()):  # where nnU-Net looks for it
        return recursive_find_trainer_class_by_name(name)


def _changes(folder: Path) -> dict[str, Any]:
    """The hyperparameters that the trainer of a results folder fixes."""
    return getattr(_trainer(folder.name.split("__")[0]), "CHANGES", {})


def _fold(dataset: str, fold: int) -> Fold | None:
    """The cases of a fold; None if the splits are not on this machine, or were not made by this package."""
    try:
        return load_fold(base_folder("preprocessed") / dataset, fold)
    except UserError:
        return None


def _dataset_json(dataset: str) -> dict[str, Any]:
    """Content of dataset.json of another dataset of the training; empty if it is not on this machine."""
    try:
        return read_json(base_folder("preprocessed") / dataset / DATASET_JSON, "")
    except UserError:
        return {}


def stated_licence(contents: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The licence of a model, from the licences of its training data; None if none of them is stated.

    Args:
        contents: content of dataset.json of each training dataset, by name.
    """
    licences = {name: licence_of(content) for name, content in contents.items()}
    if len(set(licences.values())) == 1:
        return next(iter(licences.values()))
    return "; ".join(f"{name}: {licence or 'not stated'}" for name, licence in licences.items())


def read_validation(folder: Path, dataset: dict) -> dict[str, float]:
    """Mean Dice by organ from nnU-Net's summary of a fold's validation; empty if there is none."""
    file = folder / "validation" / "summary.json"
    if not file.is_file():
        return {}
    means = read_json(file, "validate again with nnUNetv2_train --val")["mean"]
    labels = {organ: value for organ, value in dataset["labels"].items() if organ != BACKGROUND}
    organs = {str(tuple(value) if isinstance(value, list) else value): organ for organ, value in labels.items()}
    return {organs[value]: row["Dice"] for value, row in means.items() if value in organs}


def read_scores(file: Path, dataset: dict) -> pd.DataFrame:
    """Read the table that ``mass_nnunet evaluate --csv`` wrote.

    Raises:
        UserError: the file is absent, is not such a table, or has an organ that ``dataset`` lacks.
    """
    remedy = "write it with `mass_nnunet evaluate --csv`"
    try:
        scores = pd.read_csv(file)
    except FileNotFoundError:
        raise UserError(f"{file} does not exist: {remedy}") from None
    except (ValueError, pd.errors.ParserError):
        raise UserError(f"{file} is no table: {remedy}") from None
    if absent := sorted(_NEEDED - set(scores.columns)):
        raise UserError(f"{file} has no column {absent[0]}: {remedy}")
    if unknown := sorted(set(scores["organ"]) - set(dataset["labels"])):
        raise UserError(f"{file} has scores of {unknown[0]}, which the model does not segment: {remedy} for this model")
    return scores
