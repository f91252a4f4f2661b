"""Coded anatomy (SNOMED CT) of the names of organs, as DICOM segmentations state it. The codes are those of pydicom."""

import re
from typing import NamedTuple

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_SIDES = {"right": codes.SCT.Right, "left": codes.SCT.Left}
_SYNONYMS = {
    "Oesophagus": "Esophagus",
    "Postcava": "InferiorVenaCava",
    "Ivc": "InferiorVenaCava",
    "GallBladder": "Gallbladder",
}
_ABNORMAL = {"tumor": "Neoplasm", "tumour": "Neoplasm", "cancer": "Neoplasm", "lesion": "Lesion", "cyst": "Cyst"}
_OWN_SCHEME = "99MASSNNUNET"
"""Scheme of names without a known code; DICOM asks for one that begins with 99."""


class Anatomy(NamedTuple):
    """Codes of a segment.

    Attributes:
        category: anatomical structure, or abnormal structure.
        type: the organ.
        side: right or left; None for an organ without sides.
    """

    category: Code
    type: Code
    side: Code | None


def anatomy_of(name: str) -> Anatomy:
    """Codes of an organ by its name in ``dataset.json``, such as ``right_kidney``; a private code for unknown names."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word]
    side = next((_SIDES[word] for word in words if word in _SIDES), None)
    rest = [word for word in words if word not in _SIDES]
    abnormal = next((_ABNORMAL[word] for word in rest if word in _ABNORMAL), None)
    if abnormal is not None:
        return Anatomy(codes.SCT.MorphologicallyAbnormalStructure, getattr(codes.SCT, abnormal), side)
    camel = "".join(word.capitalize() for word in rest)
    for candidate in (_SYNONYMS.get(camel, camel), camel.removesuffix("s")):
        found = getattr(codes.SCT, candidate, None) if candidate else None
        if isinstance(found, Code):
            return Anatomy(codes.SCT.AnatomicalStructure, found, side)
    own = re.sub(r"\W", "_", name.upper())[:16]
    return Anatomy(codes.SCT.AnatomicalStructure, Code(own, _OWN_SCHEME, name[:64]), None)
