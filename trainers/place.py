"""Where in the unlabelled scans of a training organs can be."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from mass_nnunet.labels import ELSEWHERE, UNKNOWN
from mass_nnunet.registration.place import possible_organs
from mass_nnunet.training.loaders import label_file, write_labels

from .base.finite import check_scan
from .base.registering import RegisteringTrainer


def locate_organs(
    trainers: Sequence[RegisteringTrainer], *, capacity: int, margin: float, part: slice = slice(None)
) -> None:
    """Write where the unlabelled scans can have no organ, as far as annotated scans of the modality tell.

    Files that exist stay. Where organs can be, the label is unknown. At least two annotated scans of the modality are
    needed, and each can only add to where organs can be: one of 12 pairs of real CTs is aligned wrongly, and nothing
    tells which. Scans of another modality do not serve, as whole scans are compared by their intensities. Scans in
    which a structure was not annotated do not serve either. A voxel that is ignored can be an organ.

    Args:
        trainers: of the datasets of all modalities, in the network's order.
        capacity: most annotated scans of a modality that are laid on a scan.
        margin: distance in mm from the annotated organs up to which organs can be.
        part: of each modality's scans, in the order of their names: the share of this process.

    Raises:
        OSError: a file cannot be written; it names it.
        SystemExit: a voxel of a scan is not finite, in one line.
    """
    for trainer in trainers:
        scans = trainer.hidden_scans()
        missing = [case for case in scans.identifiers[part] if not label_file(trainer.place_folder, case).is_file()]
        if not missing:
            continue
        cases = [case for case in trainer.atlas_cases(capacity) if trainer.is_known_wholly(case)]
        if len(cases) < 2:
            trainer.print_to_log_file(
                "where the unlabelled scans can have no organ is not used: it takes two annotated scans"
            )
            continue
        annotated = [trainer.load_preprocessed(case) for case in cases]
        atlases = [(image[0], label[0]) for image, label in annotated]
        for case in tqdm(missing, desc=f"place of organs in {trainer.plans_manager.dataset_name}"):
            scan = scans.load_case(case)[0][0]
            check_scan(scan, case)
            possible = possible_organs(scan, atlases, trainer.configuration_manager.spacing, margin)
            labels = np.where(possible, UNKNOWN, ELSEWHERE).astype(np.int16)[None]
            write_labels(label_file(trainer.place_folder, case), labels)
