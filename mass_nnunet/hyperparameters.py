"""The numbers of the method, as they stand in the plans under ``mass.hyperparameters``."""

from copy import deepcopy
from typing import Any

from .errors import UserError

DEFAULTS: dict[str, Any] = {
    # Of AdamW, for a network whose first stage has 32 channels (see `learning_rate`). nnU-Net's SGD with momentum 0.99
    # throws the displacement fields about: the similarity falls below the identity's in the first hundred steps.
    "learning_rate": 2.5e-3,
    # Of the correspondence head: ten times as much can throw the fields out of the image, from where no gradient leads
    # back.
    "correspondence_learning_rate": 1e-3,
    # False: encoders of their own and a decoder in common, as in the paper. True: all convolutions in common, and
    # normalizations of their own.
    "shared_encoder": False,
    # Unlabelled scans a step and modality; the labelled ones are the plans' batch size, as in stock nnU-Net.
    "unlabelled_per_step": 1,
    # Of MASSTrainer: steps from one with unlabelled scans to the next. Those between have labelled scans alone, and
    # register none after the ramp. Fewer between cost time and gained no Dice beyond chance (docs/method.md).
    "unlabelled_every": 4,
    # Deviations of the scan that each organ of a labelled scan gains or loses at most (see appearance.py); 0 for none.
    "organ_contrast": 1.5,
    # Scans a modality that the model carries for prediction by `atlas` or `fused`: outlined ones and, in places that
    # these leave, templates (see trainers/templates.py).
    "atlases": 5,
    # Steps by which a field is improved for the scan at hand where atlases predict or teach (see refinement.py).
    "refinement_steps": 20,
    # Of what a scan's own gray values say, where more than the head predicts and wherever unlabelled scans teach (see
    # intensity.py); 0 for none.
    "intensity_weight": 4.0,
    # Channels of the correspondence head; a multiple of 16 is fastest. 0 leaves the atlas branch out.
    "correspondence_channels": 16,
    # Share of that head's gradient that reaches the decoder and the encoders: with all of it the segmentation heads
    # learn half as fast, and a tenth of it gained nothing (docs/method.md).
    "correspondence_gradient": 0.0,
    "weights": {
        "atlas": 2.0,
        "similarity": 0.2,
        "inter_modal": 0.2,
        "smoothness": 0.5,
        "unfolding": 20.0,
        # The consistencies of the paper: they cost Dice in trials (docs/method.md). MASSTrainerSCAC has them, and the
        # `correspondence_gradient` without which they reach the correspondence head alone.
        "semantic": 0.0,
        "anatomical": 0.0,
        "teaching": 0.5,
    },
    # How images of one modality are compared: lncc, mse, nmi or mind (see similarity.py).
    "similarity": "lncc",
    # The same for images of two modalities: nmi or mind, which do not need equal contrasts; None for not at all.
    "inter_modal_similarity": None,
    # How features of two modalities are compared: nce, mse or kl.
    "anatomical": "nce",
    "temperature": 0.1,
    # A voxel's pseudo-label counts where the mean of the teacher's and the atlases' probabilities exceeds this.
    "confidence": 0.75,
    # Share of the training at which the unsupervised terms have their whole weight. Until then each step registers
    # atlases; then their labels are propagated to the unlabelled scans.
    "ramp": 0.3,
}


INFERENCES = ("segmentation", "adapted", "atlas", "fused")
"""What a model may predict by, as ``mass.inference`` in the plans says: its head, the head and the scan's gray values,
its atlases and the gray values, or all of it."""
INFERENCES_WITHOUT_ATLASES = ("segmentation", "adapted")
"""What is left of them to a model without atlases."""

CHOICES: dict[str, tuple[str | None, ...]] = {
    "similarity": ("lncc", "mse", "nmi", "mind"),
    "inter_modal_similarity": (None, "lncc", "mse", "nmi", "mind"),
    "anatomical": ("nce", "mse", "kl"),
}
"""What those that name a loss may be."""

LEAST = {
    "unlabelled_per_step": 0,
    "unlabelled_every": 1,
    "atlases": 1,
    "correspondence_channels": 0,
    "refinement_steps": 0,
}
"""The smallest that those that count may be."""


def learning_rate(features: int) -> float:
    """AdamW's rate for a network whose first stage has so many channels; narrow ones need a higher one.

    Adam moves every weight by about the rate, so that an output moves by the rate times the number of its inputs. With
    1e-3 a network of 8 channels has not found the small organs after 400 steps, with 1e-2 it has all of them.
    """
    return min(DEFAULTS["learning_rate"] * 32 / features, 1e-2)


def complete(*given: dict[str, Any]) -> dict[str, Any]:
    """``DEFAULTS`` with the values of each of ``given`` put in, the later ones last; weights one by one.

    Raises:
        UserError: an unknown name or choice, which would otherwise be a silent typing error in the plans, or a count
            that cannot be.
    """
    result = deepcopy(DEFAULTS)
    for name, value in (item for changes in given for item in changes.items()):
        if name not in result:
            raise UserError(f"unknown hyperparameter {name!r} in the plans: known are {', '.join(DEFAULTS)}")
        if name in CHOICES and value not in CHOICES[name]:
            known = ", ".join(map(str, CHOICES[name]))
            raise UserError(f"{name} is {value!r} in the plans: it may be {known}")
        if name in LEAST and not (isinstance(value, int) and value >= LEAST[name]):
            raise UserError(f"{name} is {value!r} in the plans: it may be a whole number from {LEAST[name]}")
        if name == "ramp" and not 0 < value <= 1:
            raise UserError(f"ramp is {value!r} in the plans: it may be a share of the training, above 0 and up to 1")
        if name == "weights":
            if unknown := set(value) - set(DEFAULTS["weights"]):
                known = ", ".join(DEFAULTS["weights"])
                raise UserError(f"unknown weight {min(unknown)!r} in the plans: known are {known}")
            result["weights"].update(value)
        else:
            result[name] = value
    return result
