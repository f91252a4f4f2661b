"""One picture of a whole dataset: a slice of every case with the contours of its organs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mass_nnunet.data.raw import Part
from mass_nnunet.reporting.drawing import draw_contours, figure_file, legend, show

from .findings import CheckedCase, Level
from .inspection import Preview

_COLUMNS = 8
_INCHES = 1.9  # width and height of a case
_MARKS = {Level.ERROR: "#c62828", Level.WARNING: "#b26a00"}


def plot_overview(
    cases: Sequence[CheckedCase], previews: Mapping[str, Preview], labels: Mapping[str, int], path: Path
) -> None:
    """Draw the slice of each case that shows most of its organs, in radiological convention.

    Args:
        cases: cases of the dataset, in the order of the picture, none of them left out of the dataset. The title of a
            case is orange if it has a warning, red if it has an error.
        previews: preview of each case, by name.
        labels: name to value.
        path: path of the PNG file.
    """
    columns = min(_COLUMNS, max(3, len(cases)))
    rows = -(-len(cases) // columns)
    with figure_file(path, rows, columns, (_INCHES * columns, (_INCHES + 0.35) * rows + 0.5)) as (figure, grid):
        for axes in grid.flat[len(cases) :]:
            axes.set_visible(False)
        for axes, case in zip(grid.flat, cases, strict=False):
            preview = previews[case.name]
            show(axes, preview.image, (0, 255), preview.aspect)
            if case.part is not Part.UNLABELLED:
                draw_contours(axes, preview.label, labels)
            colour = "#2b2f36" if case.worst is None else _MARKS.get(case.worst, "#2b2f36")
            part = "" if case.part is None else case.part.word
            axes.set_title(f"{case.name}\n{part}", fontsize=7, color=colour)
        if any(case.part is not Part.UNLABELLED for case in cases):
            legend(figure, labels)
