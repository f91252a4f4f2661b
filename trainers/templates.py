"""Templates: unlabelled scans that serve a model as atlases, with labels of its own."""

from collections.abc import Sequence

from tqdm import tqdm

from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.registration.atlas import AtlasBank

from .base.stream import StreamTrainer
from .segmenter import segmenter


def put_templates(streams: Sequence[StreamTrainer], bank: AtlasBank, teacher: MASSNet) -> None:
    """Where a modality has fewer labelled scans than the bank can hold, fill it with unlabelled ones.

    More scans to register from even out the errors of each registration, though their labels are no outlines: so does
    MAGeT (Chakravarty et al., Human Brain Mapping 2013), whose templates are labelled by the atlases. Here a teacher
    labels them, which late in a training is ahead of two atlases. A scan in which it finds no organ is no template.

    Args:
        streams: of all modalities, in the network's order.
        bank: of the atlases.
        teacher: a network in evaluation mode, without deep supervision.
    """
    for modality, stream in enumerate(streams):
        segment = segmenter(stream, teacher, modality)
        scans = stream.hidden_scans()
        patches = []
        cases = stream.template_cases(bank.capacity)
        for case in tqdm(cases, desc=f"templates of {stream.plans_manager.dataset_name}", disable=not cases):
            scan = scans.load_case(case)[0][:]
            labels = segment(scan)
            if labels.any():
                patches.append(stream.organ_patch(scan, labels))
        bank.put_templates(modality, [image for image, _ in patches], [label for _, label in patches])
