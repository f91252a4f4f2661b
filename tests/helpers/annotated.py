"""Which scans of a batch are annotated, and which are registered to which."""

import torch

from mass_nnunet.batch import Layout


def is_annotated(layout: Layout) -> torch.Tensor:
    """(S,) boolean; a test indexes with it what the layout itself cuts."""
    one_modality = [True] * layout.labelled + [False] * layout.unlabelled
    return torch.tensor(one_modality * layout.modalities)


def pairs(layout: Layout) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Places in the batch, (T,) each: targets, their same-modality atlases and their other-modality atlases."""
    places = torch.arange(layout.scans)
    return layout.targets(places), layout.same_atlases(places), layout.other_atlases(places)
