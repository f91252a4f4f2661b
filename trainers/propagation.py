"""Labels that the atlases of a model in training propagate to its unlabelled scans."""

import blosc2
from tqdm import tqdm

from mass_nnunet.files import atomic_path
from mass_nnunet.networks import MASSNet

from .segmenter import predicting, segmenter
from .stream import StreamTrainer


def propagate_labels(streams: list[StreamTrainer], network: MASSNet, part: slice = slice(None)) -> None:
    """Let the atlases segment the unlabelled scans, and write what they say; what is there already stays.

    Args:
        streams: of all modalities, in the network's order.
        network: in training; it is so again afterwards.
        part: of each modality's scans, in the order of their names: the share of this process.

    Raises:
        OSError: a file cannot be written; it names it.
    """
    with predicting(network, "atlas"):
        for modality, stream in enumerate(streams):
            segment = segmenter(stream, network, modality)
            scans = stream.hidden_scans()
            dataset = stream.plans_manager.dataset_name
            for case in tqdm(scans.identifiers[part], desc=f"labels propagated in {dataset}"):
                file = scans.file_of(case)
                if file.is_file():
                    continue
                labels = segment(scans.load_case(case)[0][:])
                with atomic_path(file) as temporary:
                    blosc2.asarray(labels[None], urlpath=str(temporary), mode="w")
