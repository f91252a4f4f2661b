"""How a method looks in every figure and table of a report: colour, marker and line, by its place in the grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

# Okabe and Ito's colours for the colour-blind, without the yellow that is too pale for a line, and two darker ones. The
# markers tell apart what colours do not, and the second round of colours has hollow markers and broken lines.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#3B3F46", "#8A5A00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "d")


@dataclass(frozen=True)
class Style:
    """Of one method."""

    colour: str
    marker: str
    is_hollow: bool

    @property
    def line(self) -> dict[str, object]:
        """Options of matplotlib's ``plot``."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markerfacecolor": "white" if self.is_hollow else self.colour,
            "linestyle": "--" if self.is_hollow else "-",
        }

    @property
    def key(self) -> str:
        """A small HTML box in the colour."""
        fill = "transparent" if self.is_hollow else self.colour
        return f'<i class="key" style="border-color:{self.colour};background:{fill}"></i>'


def styles(methods: Sequence[str]) -> dict[str, Style]:
    """A style for each method, the same for the same list."""
    marks = zip(methods, cycle(_COLOURS), cycle(_MARKERS), strict=False)
    return {
        method: Style(colour, marker, place >= len(_COLOURS)) for place, (method, colour, marker) in enumerate(marks)
    }
