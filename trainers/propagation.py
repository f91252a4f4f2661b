"""Labels that the atlases of a model in training propagate to the unlabelled scans."""

from collections.abc import Sequence

import blosc2
import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd, insert_crop_into_image
from tqdm import tqdm

from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.networks.mass import MASSNet
from mass_nnunet.training.loaders import label_file, write_labels
from mass_nnunet.training.patch import organ_box
from mass_nnunet.training.pseudo_labels import gated

from .base.dataset import DatasetTrainer
from .segmenter import find_organs, predicting, segmenter


def propagate_labels(trainers: Sequence[DatasetTrainer], teacher: MASSNet, part: slice = slice(None)) -> None:
    """Propagate the labels of a teacher's atlases to the unlabelled scans, and write them; files that exist stay.

    An atlas is a patch around its organs. It is registered to the patch that holds most of what the teacher finds
    where organs can be; outside of that patch the labels are unknown. Labels of another tool that the dataset has are
    added as far as the atlases do not contradict them (:func:`gated`).

    Args:
        trainers: of the datasets of all modalities, in the network's order.
        teacher: a network in evaluation mode, without deep supervision.
        part: of each modality's scans, in the order of their names: the share of this process.

    Raises:
        OSError: a file cannot be written; it names it.
    """
    for modality, trainer in enumerate(trainers):
        segment = segmenter(trainer, teacher, modality)
        scans = trainer.hidden_scans()
        for case in tqdm(scans.identifiers[part], desc=f"labels propagated in {trainer.plans_manager.dataset_name}"):
            file = label_file(trainer.propagated_folder, case)
            if file.is_file():
                continue
            labels = scans.labels_of(case)[:]  # unknown, or elsewhere
            scan, found = find_organs(segment, scans, case)
            box = organ_box(found, trainer.configuration_manager.patch_size)
            patch = torch.from_numpy(crop_and_pad_nd(scan, box, 0))[None].to(trainer.device)  # (1, C, Z, Y, X)
            with predicting(teacher, modality, "atlas", trainer.device):
                logits = teacher(patch)
            # Beyond the borders of all atlases no class has evidence.
            silent = logits.amax(1) == logits.amin(1)  # (1, Z, Y, X)
            propagated = torch.where(silent, UNKNOWN, logits.argmax(1)).cpu().numpy()
            known = np.full_like(labels, UNKNOWN)
            insert_crop_into_image(known, propagated, box)
            labels = np.where(labels == ELSEWHERE, labels, known)
            if (outside := label_file(trainer.outside_folder, case)).is_file():
                labels = gated(labels, blosc2.open(urlpath=str(outside), mode="r")[:])
            write_labels(file, labels)
    teacher.eval()  # drops what it has computed of the atlases, which the next step makes out of date
