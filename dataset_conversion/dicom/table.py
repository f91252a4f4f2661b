"""The series of an export as a table: which are taken, and why the others are not."""

from collections.abc import Iterable, Sequence

_HEAD = ("no.", "case", "type", "description", "slices", "voxel mm (z y x)", "")


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lines of a table with aligned columns.

    Args:
        rows: number, case, type, description, number of slices, voxel size, and verdict of each series.
    """
    cells = [_HEAD, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
