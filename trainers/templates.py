"""Templates: unlabelled scans that serve a trained model as atlases, with labels of its own."""

from tqdm import tqdm

from mass_nnunet.networks import MASSNet

from .segmenter import predicting, segmenter
from .stream import StreamTrainer


def add_templates(streams: list[StreamTrainer], network: MASSNet) -> None:
    """Where a modality has fewer labelled scans than its bank of atlases can hold, fill it with unlabelled ones.

    More scans to register from even out the errors of each registration, though their labels are no outlines: so does
    MAGeT (Chakravarty et al., Human Brain Mapping 2013), whose templates are labelled by the atlases. The segmentation
    head labels them here, as it is ahead of two atlases by the end of a training. A scan in which it finds no organ
    is no template.

    Args:
        streams: of all modalities, in the network's order.
        network: trained; it is in training mode again afterwards.
    """
    with predicting(network, "segmentation"):
        for modality, stream in enumerate(streams):
            segment = segmenter(stream, network, modality)
            scans = stream.hidden_scans()
            patches = []
            cases = stream.template_cases(network.atlases.capacity)
            for case in tqdm(cases, desc=f"templates of {stream.plans_manager.dataset_name}", disable=not cases):
                scan = scans.load_case(case)[0][:]
                labels = segment(scan)
                if labels.any():
                    patches.append(stream.organ_patch(scan, labels))
            network.atlases.put_templates(modality, [image for image, _ in patches], [label for _, label in patches])
