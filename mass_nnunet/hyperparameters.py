"""The hyperparameters of the method, as they stand in the plans under ``mass.hyperparameters``."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import UserError, shortened

HEAD, ATLAS = "segmentation", "atlas"
"""The branches of a network: its head, which each has, and its atlases."""
INFERENCES = (HEAD, "adapted", ATLAS, "fused")
"""The inferences that ``mass.inference`` in the plans can name. A model predicts by its segmentation head; by the head
with intensity adaptation; by its atlases with intensity adaptation; or by all of these."""
INFERENCES_WITHOUT_ATLASES = (HEAD, "adapted")
"""The inferences of a model without atlases."""

CHOICES: dict[str, tuple[str | None, ...]] = {
    "similarity": ("lncc", "mse", "nmi", "mind"),
    "inter_modal_similarity": (None, "lncc", "mse", "nmi", "mind"),
    "anatomical": ("nce", "mse", "kl"),
}
"""Allowed values of each hyperparameter that names a loss, by key in the plans."""

LEAST = {
    "unlabelled_per_step": 0,
    "unlabelled_every": 1,
    "atlases": 1,
    "correspondence_channels": 0,
    "refinement_steps": 0,
}
"""Smallest allowed value of each hyperparameter that is a count, by key in the plans."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the terms of the MASS objective; the supervised term has weight 1."""

    atlas: float = 2.0
    """Soft Dice of the labels that atlases propagate to annotated targets."""

    similarity: float = 0.2
    """Dissimilarity of the warped atlas image and the target, of one modality."""

    inter_modal: float = 0.2
    """Dissimilarity of the warped atlas image and the target, of two modalities. It has no effect unless
    ``inter_modal_similarity`` names a measure."""

    smoothness: float = 0.5
    """Diffusion of the displacement fields."""

    unfolding: float = 20.0
    """Folding (Jacobian) penalty of the displacement fields."""

    semantic: float = 0.0
    """Semantic consistency of the paper. It lowered Dice in trials (docs/experiments/); MASSTrainerSCAC uses it."""

    anatomical: float = 0.0
    """Anatomical consistency of the paper. It lowered Dice in trials (docs/experiments/); MASSTrainerSCAC uses it."""

    teaching: float = 0.5
    """Mutual teaching on unlabelled scans."""

    place: float = 0.1
    """Background where an unlabelled scan can have no organ (losses/absence.py). The loss is a mean over few voxels:
    with weight 1 its gradient in the decoder is many times the supervised one (docs/experiments/place.md)."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """All hyperparameters; :func:`complete` makes them from the plans, :meth:`as_plans` writes them there.

    A field has the name of its key in the plans, except where a weight already has that name.

    Raises:
        UserError: a value is not one of the choices, a count is too small, or ``ramp`` is not above 0 and up to 1.
    """

    learning_rate: float = 2.5e-3
    """AdamW's learning rate, for a network whose first stage has 32 channels (see :func:`scaled_learning_rate`). With
    nnU-Net's SGD and its momentum of 0.99 the displacement fields oscillate: in the first hundred steps the warped
    atlases become less similar to the targets than the unwarped ones."""

    correspondence_learning_rate: float = 1e-3
    """Learning rate of the correspondence head. Ten times this rate can move fields out of the image, where they have
    no gradient."""

    shared_encoder: bool = False
    """False: one encoder per modality and a shared decoder, as in the paper. True: all convolutions are shared, and
    each modality has its own normalizations."""

    unlabelled_per_step: int = 1
    """Unlabelled scans per step and modality. The number of annotated scans is the plans' batch size, as in stock
    nnU-Net."""

    unlabelled_every: int = 4
    """Unlabelled scans are in every n-th step of MASSTrainer. The other steps have annotated scans only, and after the
    ramp these steps register no atlas. A smaller n costs time and gained no Dice beyond chance (docs/experiments/)."""

    organ_contrast: float = 1.5
    """Random organ contrast (training/augmentation.py): largest intensity shift of an organ in an annotated scan, in
    standard deviations of the scan; 0 for none."""

    organ_contrast_in_ct: bool = False
    """Whether CTs get random organ contrast, too, or what a trainer has in its place (docs/experiments/place.md)."""

    place_margin: float = 50.0
    """Distance in mm from the slices in which annotated scans, laid on an unlabelled one, have organs
    (registration/place.py). Slices beyond it are background; 0 for no such knowledge."""

    atlases: int = 5
    """Atlases per modality that the model stores for prediction by ``atlas`` or ``fused``: annotated scans, then
    templates (trainers/templates.py)."""

    refinement_steps: int = 20
    """Steps of the refinement of a displacement field where atlases predict or teach (registration/refinement.py)."""

    intensity_weight: float = 4.0
    """Weight of the intensity adaptation (networks/intensity.py), in the teacher and in every inference except
    ``segmentation``; 0 for none."""

    correspondence_channels: int = 16
    """Channels of the correspondence head; a multiple of 16 is fastest. 0 leaves the atlas branch out."""

    correspondence_gradient: float = 0.0
    """Factor on the correspondence head's gradient where it enters decoder and encoders. With 1 the segmentation heads
    learn half as fast; 0.1 gained nothing (docs/experiments/)."""

    weights: Weights = Weights()
    """Weights of the terms of the objective."""

    similarity_measure: str = field(default="lncc", metadata={"key": "similarity"})
    """Similarity measure of two images of one modality: lncc, mse, nmi or mind (losses/similarity.py)."""

    inter_modal_similarity: str | None = None
    """Similarity measure of two images of different modalities; nmi and mind do not need equal contrasts. None for no
    comparison."""

    feature_comparison: str = field(default="nce", metadata={"key": "anatomical"})
    """Loss of the anatomical consistency, on features of two modalities: nce, mse or kl (losses/features.py)."""

    temperature: float = 0.1
    """Temperature of the channel-wise contrast, ``nce``."""

    confidence: float = 0.75
    """A pseudo-label is used at voxels where the mean of the teacher's and the atlases' probabilities exceeds this."""

    taught_from: float = 0.0
    """Soft Dice on annotated scans from which on pseudo-labels teach the head a class (objectives/learned.py); 0 for
    all classes from the first step. 0.5 saved a short training in which organs were found late, and cost others a point
    on MRI (docs/experiments/parts.md)."""

    ramp: float = 0.3
    """Share of the training after which the unsupervised terms have their full weight. Until then each step registers
    atlases. At its end the atlases propagate their labels to the unlabelled scans."""

    def __post_init__(self) -> None:
        values = self.as_plans()
        for name, choices in CHOICES.items():
            if values[name] not in choices:
                allowed = ", ".join(map(str, choices))
                raise UserError(f"{name} is {shortened(values[name])} in the plans: it must be one of {allowed}")
        for name, least in LEAST.items():
            if not (_is_number(values[name]) and isinstance(values[name], int) and values[name] >= least):
                raise UserError(
                    f"{name} is {shortened(values[name])} in the plans: it must be a whole number from {least}"
                )
        for name in SWITCHES:
            if not isinstance(values[name], bool):
                raise UserError(f"{name} is {shortened(values[name])} in the plans: it must be true or false")
        numbers = {name: value for name, value in values.items() if name not in NO_NUMBERS} | values["weights"]
        for name, value in numbers.items():
            if not _is_number(value):
                raise UserError(f"{name} is {shortened(value)} in the plans: it must be a number")
        if not 0 < self.ramp <= 1:
            raise UserError(
                f"ramp is {shortened(self.ramp)} in the plans: it must be a share of the training, above 0 and up to 1"
            )

    def as_plans(self) -> dict[str, Any]:
        """The values by their keys in the plans."""
        return {key: asdict(value) if key == "weights" else value for key, value in self._by_key().items()}

    def _by_key(self) -> dict[str, Any]:
        return {key: getattr(self, name) for key, name in FIELDS.items()}


FIELDS = {entry.metadata.get("key", entry.name): entry.name for entry in fields(Hyperparameters)}
"""Names of the fields by their keys in the plans."""


SWITCHES = ("shared_encoder", "organ_contrast_in_ct")
"""Keys of the hyperparameters that are true or false."""
NO_NUMBERS = (*CHOICES, *SWITCHES, "weights")
"""Keys of the hyperparameters that are no numbers."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def scaled_learning_rate(features: int) -> float:
    """AdamW's learning rate for a network with ``features`` channels in its first stage; narrow ones need more.

    Adam moves every weight by about the learning rate, so an output moves by the rate times the number of its inputs.
    After 400 steps a network of 8 channels has found all organs with 1e-2, but not the small ones with 1e-3.
    """
    return min(Hyperparameters.learning_rate * 32 / features, 1e-2)


def complete(*given: Mapping[str, Any]) -> Hyperparameters:
    """The defaults, overridden by each mapping of ``given`` in turn; weights are overridden one by one.

    Args:
        given: values by their keys in the plans.

    Raises:
        UserError: a name is unknown, such as a misspelt key, or a value is not allowed.
    """
    values: dict[str, Any] = {}
    weights: dict[str, float] = {}
    for name, value in (item for changes in given for item in changes.items()):
        if name not in FIELDS:
            raise UserError(f"unknown hyperparameter {shortened(name)} in the plans: known are {', '.join(FIELDS)}")
        if name == "weights":
            known = [entry.name for entry in fields(Weights)]
            if not isinstance(value, Mapping):
                raise UserError(
                    f"weights is {shortened(value)} in the plans: it must be weights by name, as {{'atlas': 1.0}}"
                )
            if unknown := set(value) - set(known):
                raise UserError(f"unknown weight {shortened(min(unknown))} in the plans: known are {', '.join(known)}")
            weights.update(value)
        else:
            values[FIELDS[name]] = value
    return Hyperparameters(**values, weights=Weights(**weights))
