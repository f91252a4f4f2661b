"""A trained model as one U-Net with intensity adaptation: it needs this package, and holds no atlas."""

from collections.abc import Mapping
from typing import Any

from mass_nnunet.hyperparameters import complete

from .plain_model import public_plans

ADAPTED = "adapted"
"""The inference of such a model."""
ADAPTED_TRAINER = "SingleModalityTrainer"
"""Trainer that such models name; its network is one U-Net, without correspondence head and atlases."""
PREFIX = "unets.0."
"""Prefix of the keys of the U-Net in that network."""


def adapted_plans(plans: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The plans of such a model: those that stock nnU-Net uses, and ``mass``, which names no other dataset.

    Args:
        plans: of the trained model.
        changes: hyperparameters that its trainer fixes.
    """
    mass = dict(plans["mass"])
    own = [modality for modality in mass["modalities"] if modality["name"] == mass["modality"]]
    hyperparameters = complete(mass["hyperparameters"], changes).as_plans()
    mass |= {"modalities": own, "inference": ADAPTED, "hyperparameters": hyperparameters}
    return public_plans(dict(plans)) | {"mass": mass}


def adapted_checkpoint(
    plain: Mapping[str, Any], plans: Mapping[str, Any], dataset: Mapping[str, Any]
) -> dict[str, Any]:
    """The checkpoint of such a model.

    Args:
        plain: checkpoint of the plain U-Net (:func:`plain_model.plain_checkpoint`).
        plans: :func:`adapted_plans`.
        dataset: content of dataset.json, with regions where the model has some.
    """
    return {
        **plain,
        "network_weights": {PREFIX + key: weight for key, weight in plain["network_weights"].items()},
        "trainer_name": ADAPTED_TRAINER,
        "init_args": {**plain["init_args"], "plans": dict(plans), "dataset_json": dict(dataset)},
    }
