"""Templates: unlabelled scans that serve a model as atlases, with labels that it predicted."""

from collections.abc import Sequence

from tqdm import tqdm

from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.registration.atlas import AtlasBank

from .base.registering import RegisteringTrainer
from .segmenter import find_organs, segmenter


def put_templates(trainers: Sequence[RegisteringTrainer], bank: AtlasBank, teacher: MASSNet) -> None:
    """Where a modality has fewer annotated scans than the bank can hold, fill it with unlabelled ones.

    More atlases average out the errors of single registrations, even if their labels are predicted, as in MAGeT
    (Chakravarty et al., Human Brain Mapping 2013). MAGeT's atlases label the templates; here the mean teacher does,
    which late in a training is ahead of two atlases. A scan in which it finds no organ is no template.

    A modality without annotated scans has borrowed atlases of another one until then. Its templates replace them.

    Args:
        trainers: of the datasets of all modalities, in the network's order.
        bank: of the atlases.
        teacher: a network in evaluation mode, without deep supervision.
    """
    for modality, trainer in enumerate(trainers):
        segment = segmenter(trainer, teacher, modality)
        scans = trainer.hidden_scans()
        patches = []
        cases = trainer.template_cases(bank.capacity)
        for case in tqdm(cases, desc=f"templates of {trainer.plans_manager.dataset_name}", disable=not cases):
            scan, labels = find_organs(segment, scans, case)
            if labels.any():
                patches.append(trainer.organ_patch(scan, labels))
        if trainer.lender is not None:
            if not patches:
                continue  # lent atlases are better than none
            bank.clear(modality)
        bank.put_templates(modality, [image for image, _ in patches], [label for _, label in patches])
