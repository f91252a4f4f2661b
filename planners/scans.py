"""The scans of a dataset, labelled or not, in the form in which nnU-Net's planning takes them."""

from mass_nnunet.data.raw import TRAINING, UNLABELLED, RawDataset


def make_training_folder(dataset: RawDataset) -> None:
    """Make ``imagesTr`` where a dataset has scans in ``imagesUn`` alone: nnU-Net lists it, and fails without it."""
    (dataset.folder / TRAINING).mkdir(exist_ok=True)


def nnunet_cases(dataset: RawDataset) -> dict[str, dict]:
    """Files of all scans by their case, the labelled ones first.

    The label of each is its own image: nnU-Net's fingerprint reads one, which has no effect on ours.
    """
    return {
        case: {"images": images, "label": images[0]}
        for part in (TRAINING, UNLABELLED)
        for case in dataset.cases(part)
        for images in [[str(image) for image in dataset.images(part, case)]]
    }
