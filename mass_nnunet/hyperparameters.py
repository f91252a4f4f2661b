"""The hyperparameters of the method, as they stand in the plans under ``mass.hyperparameters``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import UserError

INFERENCES = ("segmentation", "adapted", "atlas", "fused")
"""What a model may predict by, as ``mass.inference`` in the plans says: its segmentation head; the head with intensity
adaptation; its atlases with intensity adaptation; all of these."""
INFERENCES_WITHOUT_ATLASES = ("segmentation", "adapted")
"""Those of ``INFERENCES`` that are left to a model without atlases."""

CHOICES: dict[str, tuple[str | None, ...]] = {
    "similarity": ("lncc", "mse", "nmi", "mind"),
    "inter_modal_similarity": (None, "lncc", "mse", "nmi", "mind"),
    "anatomical": ("nce", "mse", "kl"),
}
"""The values that a hyperparameter which names a loss may have, by its key in the plans."""

LEAST = {
    "unlabelled_per_step": 0,
    "unlabelled_every": 1,
    "atlases": 1,
    "correspondence_channels": 0,
    "refinement_steps": 0,
}
"""The smallest value of a hyperparameter that counts something."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the terms of the MASS objective; the supervised term has weight 1."""

    atlas: float = 2.0
    """Soft Dice of the labels that atlases propagate to annotated targets."""

    similarity: float = 0.2
    """Dissimilarity of the warped atlas image and the target, of one modality."""

    inter_modal: float = 0.2
    """The same for two modalities; without effect unless ``inter_modal_similarity`` names a measure."""

    smoothness: float = 0.5
    """Diffusion of the displacement fields."""

    unfolding: float = 20.0
    """Folding (Jacobian) penalty of the displacement fields."""

    semantic: float = 0.0
    """Semantic consistency of the paper. It cost Dice in trials (docs/experiments/); MASSTrainerSCAC has it."""

    anatomical: float = 0.0
    """Anatomical consistency of the paper. It cost Dice in trials (docs/experiments/); MASSTrainerSCAC has it."""

    teaching: float = 0.5
    """Mutual teaching on unlabelled scans."""


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """All hyperparameters; :func:`complete` makes them from the plans, :meth:`as_plans` writes them there.

    A field has the name of its key in the plans, unless that name also stands for a weight.

    Raises:
        UserError: a value is none of the choices, too small a count, or no share of the training.
    """

    learning_rate: float = 2.5e-3
    """AdamW's learning rate, for a network whose first stage has 32 channels (see :func:`scaled_learning_rate`). With
    nnU-Net's SGD and its momentum of 0.99 the displacement fields oscillate: in the first hundred steps the similarity
    falls below that of the identity."""

    correspondence_learning_rate: float = 1e-3
    """Learning rate of the correspondence head. Ten times as much can move fields out of the image, where no gradient
    leads back."""

    shared_encoder: bool = False
    """False: one encoder a modality and a common decoder, as in the paper. True: common convolutions, and one set of
    normalizations a modality."""

    unlabelled_per_step: int = 1
    """Unlabelled scans a step and modality. Annotated ones are the plans' batch size, as in stock nnU-Net."""

    unlabelled_every: int = 4
    """MASSTrainer has unlabelled scans in every so many steps. The steps between have annotated scans alone, and after
    the ramp they register none. More frequent ones cost time and gained no Dice beyond chance (docs/experiments/)."""

    organ_contrast: float = 1.5
    """Random organ contrast (training/augmentation.py): how many standard deviations of the scan each organ of an
    annotated scan gains or loses at most; 0 for none."""

    atlases: int = 5
    """Scans a modality that the model carries for prediction by ``atlas`` or ``fused``: annotated ones, then templates
    (trainers/templates.py)."""

    refinement_steps: int = 20
    """Steps by which a displacement field is improved for the scan at hand, where atlases predict or teach
    (registration/refinement.py)."""

    intensity_weight: float = 4.0
    """Weight of the intensity adaptation (networks/intensity.py), in every inference but ``segmentation`` and in the
    teacher; 0 for none."""

    correspondence_channels: int = 16
    """Channels of the correspondence head; a multiple of 16 is fastest. 0 leaves the atlas branch out."""

    correspondence_gradient: float = 0.0
    """Share of the correspondence head's gradient that reaches decoder and encoders. With 1 the segmentation heads
    learn half as fast, and 0.1 gained nothing (docs/experiments/)."""

    weights: Weights = Weights()
    """Weights of the terms of the objective."""

    similarity_measure: str = field(default="lncc", metadata={"key": "similarity"})
    """How images of one modality are compared: lncc, mse, nmi or mind (losses/similarity.py)."""

    inter_modal_similarity: str | None = None
    """How images of two modalities are compared; nmi and mind do not need equal contrasts. None for not at all."""

    feature_comparison: str = field(default="nce", metadata={"key": "anatomical"})
    """How the anatomical consistency compares features of two modalities: nce, mse or kl (losses/features.py)."""

    temperature: float = 0.1
    """Temperature of the channel-wise contrast, ``nce``."""

    confidence: float = 0.75
    """A pseudo-label counts where the mean of the teacher's and the atlases' probabilities exceeds this."""

    ramp: float = 0.3
    """Share of the training after which the unsupervised terms have their whole weight. Until then each step registers
    atlases; then the atlases propagate their labels to the unlabelled scans."""

    def __post_init__(self) -> None:
        values = self.as_plans()
        for name, choices in CHOICES.items():
            if values[name] not in choices:
                raise UserError(f"{name} is {values[name]!r} in the plans: it may be {', '.join(map(str, choices))}")
        for name, least in LEAST.items():
            if not (isinstance(values[name], int) and values[name] >= least):
                raise UserError(f"{name} is {values[name]!r} in the plans: it may be a whole number from {least}")
        if not 0 < self.ramp <= 1:
            raise UserError(
                f"ramp is {self.ramp!r} in the plans: it may be a share of the training, above 0 and up to 1"
            )

    def as_plans(self) -> dict[str, Any]:
        """What stands in the plans."""
        return {key: asdict(value) if key == "weights" else value for key, value in self._by_key().items()}

    def _by_key(self) -> dict[str, Any]:
        return {key: getattr(self, name) for key, name in FIELDS.items()}


FIELDS = {entry.metadata.get("key", entry.name): entry.name for entry in fields(Hyperparameters)}
"""Names of the fields by their keys in the plans."""


def scaled_learning_rate(features: int) -> float:
    """AdamW's rate for a network whose first stage has so many channels; narrow ones need a higher one.

    Adam moves every weight by about the rate, so that an output moves by the rate times the number of its inputs. With
    1e-3 a network of 8 channels has not found the small organs after 400 steps, with 1e-2 it has all of them.
    """
    return min(Hyperparameters.learning_rate * 32 / features, 1e-2)


def complete(*given: Mapping[str, Any]) -> Hyperparameters:
    """The defaults, with the values of each of ``given`` put in, the later ones last; weights one by one.

    Args:
        given: values by their keys in the plans.

    Raises:
        UserError: an unknown name, which would otherwise be a silent typing error in the plans, or a value that cannot
            be.
    """
    values: dict[str, Any] = {}
    weights: dict[str, float] = {}
    for name, value in (item for changes in given for item in changes.items()):
        if name not in FIELDS:
            raise UserError(f"unknown hyperparameter {name!r} in the plans: known are {', '.join(FIELDS)}")
        if name == "weights":
            known = [entry.name for entry in fields(Weights)]
            if unknown := set(value) - set(known):
                raise UserError(f"unknown weight {min(unknown)!r} in the plans: known are {', '.join(known)}")
            weights.update(value)
        else:
            values[FIELDS[name]] = value
    return Hyperparameters(**values, weights=Weights(**weights))
