"""Trained models in Python: segment scans in memory, and see what each branch of a network says.

    from mass_nnunet.api import Model

Nothing is written. docs/how_to/python.md has examples.
"""

from .best_atlas import Registered, Registration
from .loading import load_model
from .model import Model, Prediction
from .uncertainty import Uncertainty, disagreement, entropy, expected_dice

__all__ = [
    "Model",
    "Prediction",
    "Registered",
    "Registration",
    "Uncertainty",
    "disagreement",
    "entropy",
    "expected_dice",
    "load_model",
]
