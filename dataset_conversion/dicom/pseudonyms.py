"""Pseudonyms of patients, and the key file: the only file that tells who they are, written on request only."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mass_nnunet.data.files import atomic_path, read_json
from mass_nnunet.data.paths import base_folder
from mass_nnunet.errors import UserError

from .identity import Identity, persons

_REMEDY = "correct it, or give another --key"


class Pseudonyms:
    """``p001``, ``p002``, ...: one for each person.

    Without a key file their order is that of digests of the study UIDs, and tells nothing of names or dates. With one,
    a person who is in it keeps the pseudonym, and a new one gets the next free number.
    """

    def __init__(self, identities: Sequence[Identity], key: Path | None = None, *, by_study: bool = False) -> None:
        """Give pseudonyms.

        Args:
            identities: identity of each file.
            key: a key file of an earlier conversion, if it exists.
            by_study: take each study for another person's.

        Raises:
            UserError: the key file cannot be read, or lies in nnU-Net's folder of raw datasets.
        """
        self._known = _load(key) if key is not None else {}
        self._of: dict[Identity, str] = {}
        self.identities: dict[str, list[Identity]] = {}
        earlier = {member: name for name, members in self._known.items() for member in members}
        groups = persons([*earlier, *identities], by_study=by_study)
        used = set(self._known)
        for group in sorted(groups, key=_rank):
            name = min((earlier[member] for member in group if member in earlier), default="") or _free(used)
            used.add(name)
            self.identities[name] = sorted(group)
            self._of |= dict.fromkeys(group, name)

    def __getitem__(self, identity: Identity) -> str:
        return self._of[identity]

    def tokens(self) -> list[str]:
        """Pieces of text by which a patient could be recognized."""
        return sorted({token for name in self.identities for one in self.identities[name] for token in one.tokens()})


def write_key(path: Path, pseudonyms: Pseudonyms, scans: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the key file, readable by its owner alone.

    Args:
        path: file to write; scans of an earlier conversion in it are kept.
        pseudonyms: the pseudonyms.
        scans: what is known of the scan of each case, by the case's name.
    """
    earlier = _content(path)["scans"] if path.is_file() else {}
    patients = {name: [one._asdict() for one in members] for name, members in pseudonyms.identities.items()}
    content = {"patients": patients, "scans": earlier | {name: dict(scan) for name, scan in scans.items()}}
    with atomic_path(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _load(path: Path) -> dict[str, list[Identity]]:
    raw = base_folder("raw").resolve()
    if raw in path.resolve().parents:
        raise UserError(f"--key {path} lies among the datasets in {raw}: keep it apart")
    if not path.exists():
        return {}
    try:
        return {name: [Identity(**one) for one in members] for name, members in _content(path)["patients"].items()}
    except (KeyError, TypeError, AttributeError):
        raise _no_key(path) from None


def known_series(path: Path) -> dict[str, str]:
    """SeriesInstanceUID of each case that a key file knows.

    Raises:
        UserError: the file is absent, or is no key file.
    """
    try:
        return {name: scan["series"] for name, scan in _content(path)["scans"].items()}
    except (KeyError, TypeError, AttributeError):
        raise _no_key(path) from None


def _content(path: Path) -> Any:
    return read_json(path, _REMEDY)


def _no_key(path: Path) -> UserError:
    return UserError(f"{path} is no key file of `mass_nnunet convert dicom`: {_REMEDY}")


def _rank(group: set[Identity]) -> str:
    return min(hashlib.sha256(identity.study.encode()).hexdigest() for identity in group)


def _free(used: set[str]) -> str:
    number = 1
    while f"p{number:03d}" in used:
        number += 1
    return f"p{number:03d}"
