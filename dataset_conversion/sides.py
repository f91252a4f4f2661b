"""Are the organs on their sides? The cheapest proof that an image was not mirrored and no label mixed up."""

import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.organs import LABELS, ORGANS


def absent_organs(values: set[int]) -> list[str]:
    """The organs that do not occur among the label values of a case."""
    return [organ for organ in ORGANS if LABELS[organ] not in values]


def leftward_positions(label: sitk.Image) -> dict[str, float]:
    """How far to the patient's left the centroid of each organ present lies, in mm (the x of LPS coordinates)."""
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(label)
    return {organ: statistics.GetCentroid(LABELS[organ])[0] for organ in ORGANS if statistics.HasLabel(LABELS[organ])}


def check_sides(label: sitk.Image, case: str, source: object) -> None:
    """Check the anatomy of a label map that holds every organ.

    Args:
        label: organ labels in physical space; its direction says where left is.
        case: name of the case, for the message.
        source: file or folder that the label came from, for the message.

    Raises:
        UserError: the right kidney is not to the right of the left one, or liver or spleen is not on its side
            of the kidneys' midplane (situs inversus looks the same and is not supported).
    """
    left = leftward_positions(label)
    middle = (left["right_kidney"] + left["left_kidney"]) / 2
    wrong = [
        text
        for text, right_side, left_side in (
            ("the right kidney is not to the right of the left kidney", left["right_kidney"], left["left_kidney"]),
            ("the liver is not to the right of the spleen", left["liver"], left["spleen"]),
            ("the liver is not on the patient's right", left["liver"], middle),
            ("the spleen is not on the patient's left", middle, left["spleen"]),
        )
        if right_side >= left_side
    ]
    if wrong:
        raise UserError(
            f"{case}: {wrong[0]} in {source}: its orientation or its label values are wrong; correct or remove it"
        )
