"""Intensity adaptation for a network that segments by a head alone."""

from typing import Any

from torch import Tensor

from mass_nnunet.hyperparameters import INFERENCES_WITHOUT_ATLASES

from .intensity import adaptation


def offer_adaptation(network: Any, *, inference: str, weight: float, prior: float) -> None:
    """Let a network predict by ``segmentation`` or ``adapted``, as its ``inference`` says; its state does not change.

    Args:
        network: a network that returns logits (S, K, Z, Y, X) of scans (S, C, Z, Y, X) in evaluation mode.
        inference: what it predicts by; ``segmentation`` replaces what needs atlases.
        weight: weight of the intensity adaptation.
        prior: :data:`intensity.PRIOR` in voxels.
    """
    network.inferences = INFERENCES_WITHOUT_ATLASES
    network.inference = inference if inference in INFERENCES_WITHOUT_ATLASES else "segmentation"
    network.intensity_weight, network.intensity_prior = weight, prior
    network.register_forward_hook(_adapted)


def _adapted(network: Any, inputs: tuple[Any, ...], output: Any) -> Tensor | None:
    """A forward hook: adapted logits; None where the output stays as it is, as in training."""
    if network.training or network.inference == "segmentation" or not isinstance(output, Tensor):
        return None
    logits = output.float()
    return logits + adaptation(logits, inputs[0], network.intensity_weight, network.intensity_prior)
