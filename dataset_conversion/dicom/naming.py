"""``--labels``: which structures of label objects, and which values of NIfTI label maps, are which organ."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, number_labels

_HIGHEST = 1 << 16


@dataclass(frozen=True)
class Naming:
    """The organs of a dataset, and what they are called in the labels.

    Attributes:
        labels: name to value, background 0.
        words: for each name, the numbers and patterns of structures that are it.
    """

    labels: Mapping[str, int]
    words: Mapping[str, tuple[str, ...]]

    def table(self) -> dict[int, int]:
        """The dataset's value for each value of a NIfTI label map."""
        pairs = [(word, name) for name, words in self.words.items() for word in words]
        return {0: 0} | {int(word): self.labels[name] for word, name in pairs if word.isdecimal()}

    def organ(self, number: int, name: str) -> str | None:
        """The organ of a structure, by its number or its name; None if ``--labels`` does not name it.

        An organ that names it exactly comes before those with a pattern.

        Raises:
            UserError: the words of several organs fit.
        """
        plain, exact, fitting = _plain(name), [], []
        for organ, words in self.words.items():
            if {str(number), plain} & set(map(_plain, words)):
                exact.append(organ)
            elif any(fnmatchcase(plain, _plain(word)) for word in words if not word.isdecimal()):
                fitting.append(organ)
        found = exact or fitting
        if len(found) > 1:
            raise UserError(
                f"--labels: the structure {name} is {found[0]} and {found[1]} by its words: name it exactly in one of "
                "them"
            )
        return found[0] if found else None


def parse_naming(definitions: Sequence[str]) -> Naming:
    """The organs that ``--labels`` names.

    Args:
        definitions: ``NAME`` or ``NAME=WORD,WORD`` each. A word is a value or a range of values of NIfTI label maps,
            which is also the number of a structure, or a pattern of structures' names, such as ``*kidney*right*``.

    Raises:
        UserError: a definition is not of that form, or a name or a value occurs twice.
    """
    words: dict[str, tuple[str, ...]] = {}
    for definition in definitions:
        name, equals, text = definition.partition("=")
        given = [word.strip() for word in (text if equals else name).split(",")]
        if not re.fullmatch(r"[A-Za-z]\w*", name) or not all(given):
            raise UserError(
                f"--labels {definition} is not NAME or NAME=WORDS, such as liver=Liver,6 or spleen='*milz*'"
            )
        if name in words:
            raise UserError(f"--labels names {name} twice: give all its words at once, {name}=A,B")
        words[name] = tuple(number for word in given for number in _expanded(word, definition))
    known = Counter(_plain(word) for its in words.values() for word in its)
    if twice := [word for word, count in known.items() if count > 1]:
        raise UserError(f"--labels gives two names to {twice[0]}: leave one of them out")
    labels = number_labels(words)
    if len(labels) == 1:
        raise UserError("--labels names nothing but the background: name at least one organ")
    return Naming(labels, words)


def organs_in(structures: Iterable[tuple[int, str]], naming: Naming) -> dict[str, tuple[int, ...]]:
    """Numbers of the structures of each organ that a label object has, in the order of the organs' values.

    Raises:
        UserError: a structure may be two organs.
    """
    found: dict[str, tuple[int, ...]] = {}
    for number, name in structures:
        organ = naming.organ(number, name)
        if organ is not None and organ != BACKGROUND:
            found[organ] = (*found.get(organ, ()), number)
    return dict(sorted(found.items(), key=lambda item: naming.labels[item[0]]))


def _expanded(word: str, definition: str) -> list[str]:
    """``2-5`` is four words; any other word is itself."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
    if match is None:
        return [word]
    low, high = int(match[1]), int(match[2] or match[1])
    if not 0 < low <= high < _HIGHEST:
        raise UserError(f"--labels {definition}: values run from 1 to 65535, the smaller one first")
    return [str(value) for value in range(low, high + 1)]


def _plain(name: str) -> str:
    """A name in lower case, with spaces for ``_`` and ``-``."""
    return " ".join(re.split(r"[\s_-]+", name.lower())).strip()
