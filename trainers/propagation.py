"""Labels that the atlases of a model in training propagate to its unlabelled scans."""

from collections.abc import Sequence

import blosc2
import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd, insert_crop_into_image
from tqdm import tqdm

from mass_nnunet.data.files import atomic_path
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.training.loaders import UNKNOWN
from mass_nnunet.training.patch import organ_box

from .base.stream import StreamTrainer
from .segmenter import predicting, segmenter


def propagate_labels(streams: Sequence[StreamTrainer], teacher: MASSNet, part: slice = slice(None)) -> None:
    """Let the atlases of a teacher label the unlabelled scans, and write what they say; what is there already stays.

    An atlas is a patch around its organs, and so is what it is registered to: the teacher's head finds where. Outside
    of it the labels are unknown.

    Args:
        streams: of all modalities, in the network's order.
        teacher: a network in evaluation mode, without deep supervision.
        part: of each modality's scans, in the order of their names: the share of this process.

    Raises:
        OSError: a file cannot be written; it names it.
    """
    for modality, stream in enumerate(streams):
        segment = segmenter(stream, teacher, modality)
        scans = stream.hidden_scans()
        for case in tqdm(scans.identifiers[part], desc=f"labels propagated in {stream.plans_manager.dataset_name}"):
            file = scans.file_of(case)
            if file.is_file():
                continue
            scan = scans.load_case(case)[0][:]
            box = organ_box(segment(scan), stream.configuration_manager.patch_size)
            patch = torch.from_numpy(crop_and_pad_nd(scan, box, 0))[None].to(stream.device)  # (1, C, Z, Y, X)
            with predicting(teacher, modality, "atlas"), torch.no_grad():
                propagated = teacher(patch).argmax(1).cpu().numpy()
            labels = np.full((1, *scan.shape[1:]), UNKNOWN, np.int16)
            insert_crop_into_image(labels, propagated, box)
            with atomic_path(file) as temporary:
                blosc2.asarray(labels, urlpath=str(temporary), mode="w")
    teacher.eval()  # What it computed of the atlases is needed no more, and about to be out of date.
