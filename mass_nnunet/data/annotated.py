"""``annotated.json``: the annotated structures of the scans that are annotated in part."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mass_nnunet.errors import UserError
from mass_nnunet.labels import BACKGROUND, IGNORE

from .files import read_json

ANNOTATED_JSON = "annotated.json"
"""Name of the file, beside dataset.json."""
Annotated = Mapping[str, tuple[str, ...]]
"""Names of the annotated structures, by case; a case that is not in the file is annotated wholly."""
_FORM = '{"CASE": ["liver", ...], ...}'


def read_annotated(folder: Path, structures: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The annotated structures of the cases that are annotated in part.

    Args:
        folder: of the raw dataset; without the file all cases are annotated wholly.
        structures: names of all structures of the dataset; background and ``ignore`` may be among them.

    Returns:
        Structures by case, in the order in which they are given; a case with all structures is left out.

    Raises:
        UserError: the file is of another form, or names a structure that does not exist, or no structure of a case.
    """
    path = folder / ANNOTATED_JSON
    if not path.exists() and not path.is_symlink():
        return {}
    content = read_json(path, "convert the dataset again")
    if not isinstance(content, dict) or not all(map(_is_names, content.values())):
        raise UserError(f"{path} is not of the form {_FORM}: correct it, or convert the dataset again")
    everything = [name for name in structures if name not in (BACKGROUND, IGNORE)]
    found = {}
    for case, names in content.items():
        if strange := [name for name in names if name not in everything]:
            raise UserError(f"{path} names {strange[0]} in {case}, but the structures are {', '.join(everything)}")
        if not names:
            raise UserError(f"{path} names no structure in {case}: move the scan to imagesUn, without its label map")
        if set(names) != set(everything):
            found[case] = tuple(name for name in everything if name in names)
    return found


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
