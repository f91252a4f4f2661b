"""The slice of a case that needs a look, as a picture."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from skimage.transform import resize

from mass_nnunet.data.pose import Pose
from mass_nnunet.data.raw import RawDataset
from mass_nnunet.data.volume import read_volume
from mass_nnunet.reporting.drawing import (
    draw_truth,
    figure_file,
    grey_window,
    legend,
    paint,
    read_radiological,
    show,
    typical_slice,
)

from .assessment import Assessment


def draw_case(
    path: Path, found: Assessment, image: Path, prediction: Path, dataset: RawDataset, opinion: np.ndarray, pose: Pose
) -> None:
    """Draw the segmentation where its worst organ disagrees most with the second opinion, and in its typical slice.

    Args:
        path: picture to write.
        found: the assessment of the case.
        image: first channel of the scan.
        prediction: its segmentation, on the same grid.
        dataset: the dataset whose labels these are.
        opinion: labels of the second opinion (Z, Y, X), :attr:`Evidence.opinion`.
        pose: that of the second opinion.
    """
    stored = read_volume(image)
    turned = sitk.DICOMOrient(stored, pose.shown(stored))
    scan, spacing = sitk.GetArrayFromImage(turned), turned.GetSpacing()[::-1]
    labels, _ = read_radiological(prediction, pose, dataset.labels)
    turns = (slice(None), *pose.flips)
    opinion = opinion[turns]
    worst = min(found.organs, key=lambda organ: organ.dice)
    place = turned.TransformPhysicalPointToIndex(stored.TransformIndexToPhysicalPoint(worst.index))
    window, aspect = grey_window(scan, dataset.channels[0]), spacing[1] / spacing[2]
    with figure_file(path, 1, 2, (9.4, 4.9)) as (figure, axes):
        texts = (f"slice {worst.index[2]}: {worst.organ.replace('_', ' ')}", "the slice with most of the organs")
        for one, z, text in zip(axes[0], (place[2], typical_slice(labels)), texts, strict=True):
            show(one, scan[z], window, aspect)
            paint(one, labels[z], aspect, dataset.labels)
            row = min(int((z + 0.5) * len(opinion) / len(scan)), len(opinion) - 1)
            second = resize(opinion[row], scan[z].shape, order=0, preserve_range=True, anti_aliasing=False)
            draw_truth(one, second.astype(int), dataset.labels)
            one.set_title(text)
        axes[0][0].plot(place[0], place[1], "o", mfc="none", mec="red", ms=34, mew=1.5)
        legend(figure, dataset.labels)
