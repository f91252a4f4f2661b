"""Colour, marker and line of each method, the same in all figures and tables of a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from markupsafe import Markup

from mass_nnunet.reporting.html import macro

# The colour-blind safe colours of Okabe and Ito without yellow, which is too pale for a line, and two darker ones.
# Further trainers reuse the colours with hollow markers and broken lines. Markers distinguish a trainer's inferences.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#3B3F46", "#8A5A00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "d")


@dataclass(frozen=True)
class Style:
    """The style of one method."""

    colour: str
    marker: str
    is_hollow: bool

    @property
    def line(self) -> dict[str, Any]:
        """Options of matplotlib's ``plot``."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "markerfacecolor": "white" if self.is_hollow else self.colour,
            "linestyle": "--" if self.is_hollow else "-",
        }

    @property
    def key(self) -> Markup:
        """The colour key, a small HTML box."""
        fill = "transparent" if self.is_hollow else self.colour
        return macro("key", self.colour, fill, template="benchmark.html")


def styles(trainers: Mapping[str, str]) -> dict[str, Style]:
    """The style of each method, from the trainer of each method; methods of one trainer have the same colour."""
    places = {trainer: place for place, trainer in enumerate(dict.fromkeys(trainers.values()))}
    looks = {}
    for (method, trainer), marker in zip(trainers.items(), cycle(_MARKERS), strict=False):
        is_second, place = divmod(places[trainer], len(_COLOURS))
        looks[method] = Style(_COLOURS[place], marker, bool(is_second))
    return looks
