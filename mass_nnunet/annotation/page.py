"""The page of the suggestions: a table with reasons, and a picture of each scan with the proposed labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from mass_nnunet.data.pose import Pose, pose_to_compare
from mass_nnunet.reporting import html as report
from mass_nnunet.reporting.drawing import (
    figure_file,
    grey_window,
    legend,
    paint,
    read_radiological,
    show,
    typical_slice,
)

from .suggestion import Suggestion

_TITLE = "Which scans to annotate next"


def plot_scan(scan: Path, proposal: Path | None, modality: str, labels: Mapping[str, int], path: Path) -> None:
    """Draw an axial and a coronal slice of a scan, with the proposed labels over them.

    Of an oblique scan these are one of its slices and a section through all of them.

    Args:
        scan: file of the scan.
        proposal: file of the labels; None if there are none.
        modality: it decides the grey window.
        labels: labels of the dataset, name to value.
        path: the PNG file.
    """
    pose = pose_to_compare([scan])
    image, spacing = read_radiological(scan, pose)
    proposed = np.zeros(image.shape, np.uint8) if proposal is None else read_radiological(proposal, pose, labels)[0]
    z, y = typical_slice(proposed), typical_slice(proposed.swapaxes(0, 1))
    titles = ("axial", "coronal") if pose is Pose.UPRIGHT else ("a slice", "through the slices")
    views = {
        titles[0]: (image[z], proposed[z], spacing[1] / spacing[2]),
        titles[1]: (image[::-1, y], proposed[::-1, y], spacing[0] / spacing[2]),
    }
    heights = [3.6 * view.shape[0] * aspect / view.shape[1] for view, _, aspect in views.values()]
    window = grey_window(image, modality)
    with figure_file(path, 1, len(views), (3.6 * len(views), min(max(heights), 7.0) + 0.7)) as (figure, grid):
        for axes, (title, (view, its_labels, aspect)) in zip(grid[0], views.items(), strict=True):
            show(axes, view, window, aspect)
            paint(axes, its_labels, aspect, labels)
            axes.set_title(title)
        if proposed.any():
            legend(figure, labels)


def suggestion_page(
    suggestions: Sequence[Suggestion], pictures: Mapping[tuple[str, str], Path], method: str, next_steps: Sequence[str]
) -> Markup:
    """The page.

    Args:
        suggestions: the scans.
        pictures: a picture of each, by dataset and case.
        method: how they were chosen, in words.
        next_steps: commands to type next.
    """
    by_model = any(one.uncertainty is not None for one in suggestions)
    header = ["", "scan", "modality", "others like it", *(["uncertainty"] if by_model else [])]
    rows = [
        [one.rank, one.case, one.modality, one.stands_for - 1]
        + ([] if one.uncertainty is None else [f"{one.uncertainty:.2f}"])
        for one in suggestions
    ]
    sections = [
        report.table(header, rows, text_columns=len(header)),
        report.paragraph(method, "note"),
        report.paragraph(report.PATIENTS, "note"),
        report.section("Next", report.code(next_steps)),
    ]
    for one in suggestions:
        proposal = "with the labels that the model proposes" if one.uncertainty is not None else "without any label"
        caption = f"{one.case} of {one.dataset}, {proposal}. The patient's right is on the left of axial slices."
        picture = report.picture(pictures[one.dataset, one.case], caption)
        sections.append(report.section(f"{one.rank}. {one.case}", report.paragraph(one.reason), picture))
    datasets = " and ".join(dict.fromkeys(one.dataset for one in suggestions))
    lead = f"{len(suggestions)} scans of {datasets}, the most useful one first."
    return report.page(_TITLE, lead, sections)
