"""How a method looks in every figure and table of a report: colour, marker and line, by its place among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

# Okabe and Ito's colours for the colour-blind, without the yellow that is too pale for a line, and two darker ones. The
# second round of colours has hollow markers and broken lines, and the markers tell apart what a trainer predicts by.
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


def styles(trainers: Mapping[str, str]) -> dict[str, Style]:
    """A style for each method, the same for the same list; ``trainers`` has its trainer, which gives it the colour."""
    places = {trainer: place for place, trainer in enumerate(dict.fromkeys(trainers.values()))}
    looks = {}
    for (method, trainer), marker in zip(trainers.items(), cycle(_MARKERS), strict=False):
        is_second, place = divmod(places[trainer], len(_COLOURS))
        looks[method] = Style(_COLOURS[place], marker, bool(is_second))
    return looks
