"""Patients of an export: who is the same person, and what of them must not be shown."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SHOWN = "***"
_SHORTEST = 2
_INSIDE_WORDS = 3  # shorter pieces of a name are hidden as whole words only


class Identity(NamedTuple):
    """What an image says of its patient. It is kept in memory and in the key file only.

    Attributes:
        id: PatientID, with its issuer.
        name: PatientName.
        birth_date: PatientBirthDate.
        study: StudyInstanceUID, which stands for a patient of whom nothing is said.
    """

    id: str
    name: str
    birth_date: str
    study: str

    def keys(self) -> set[tuple[str, ...]]:
        """Keys of which one is enough to tell that two images are of the same person."""
        name = " ".join(re.split(r"[\W_]+", self.name.upper())).strip()
        identifier = " ".join(self.id.upper().split())
        keys: set[tuple[str, ...]] = {("study", self.study)} if self.study else set()
        if identifier:
            keys.add(("id", identifier))
        if name and self.birth_date.strip():
            keys.add(("name", name, self.birth_date.strip()))
        return keys

    def tokens(self) -> set[str]:
        """Pieces of text by which the patient could be recognized."""
        date = self.birth_date.strip()
        dates = {date, f"{date[6:8]}.{date[4:6]}.{date[:4]}", f"{date[:4]}-{date[4:6]}-{date[6:8]}"}
        pieces = [self.id, *self.id.split("|"), *re.split(r"[\W_]+", self.name), *(dates if len(date) == 8 else ())]
        return {piece.strip() for piece in pieces if len(piece.strip()) >= _SHORTEST or not piece.isascii()}


def persons(identities: Iterable[Identity], *, by_study: bool = False) -> list[set[Identity]]:
    """Identities of each person: those that share an id, name and birth date, or a study.

    A name that was changed, or a second id of another hospital, must not put one person into two parts of a split.

    Args:
        identities: those of all files.
        by_study: take each study for another person's, where an anonymization has given all patients one id.
    """
    found: list[tuple[set[Identity], set[tuple[str, ...]]]] = []
    for identity in dict.fromkeys(identities):
        members = {identity}
        keys: set[tuple[str, ...]] = {("study", identity.study)} if by_study else identity.keys()
        apart = []
        for others, known in found:
            if known & keys:
                members |= others
                keys |= known
            else:
                apart.append((others, known))
        found = [*apart, (members, keys)]
    return [members for members, _ in found]


def masked(text: str, tokens: Sequence[str]) -> str:
    """A free text of a header, printable and without the patients' names, birth dates and ids."""
    text = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    for token in sorted(tokens, key=len, reverse=True):
        pattern = re.escape(token)
        if token.isascii() and len(token) < _INSIDE_WORDS:
            pattern = rf"\b{pattern}\b"
        text = re.sub(pattern, _SHOWN, text, flags=re.IGNORECASE)
    return text
