"""Whether a series can be a case, by its header."""

import re
from collections.abc import Sequence

from pydicom.uid import UID

from .instance import Instance
from .stacks import Stack

_DERIVED = {
    *("MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "PROJECTION", "VOLUME_RENDER", "VRT", "SCREEN SAVE"),
    *("MPR", "CPR", "REFORMATTED", "CSA MPR", "CSA RESAMPLED", "RESAMPLED", "CSAPARALLEL"),
    *("SUBTRACTION", "SUBTRACT", "SUB", "POST_PROCESSED", "POSTPROCESSED", "MEAN_IP"),
    *(
        "ADC",
        "ADC_UNSPECIFIED",
        "FA",
        "TRACEW",
        "EADC",
        "DIFFUSION MAP",
        "T1 MAP",
        "T2 MAP",
        "PERFUSION",
        "FAT_FRACTION",
    ),
    *("P", "PHASE", "PHASE MAP", "VELOCITY", "R", "REAL", "I", "IMAGINARY", "IMAGINARY_PART"),
}
"""Words of ImageType for images that are computed from others, or have phases for intensities."""
_NEGATIVE = "MONOCHROME1"
_GRAY = {"", "MONOCHROME2", _NEGATIVE}
_SCOUT = re.compile(r"\b(scout|topogram|localizer|localiser|survey|scanogram|surview|smart ?prep|care bolus)\b", re.I)


def fault_of(series: Sequence[Instance], members: Sequence[Instance], stack: Stack | None, modality: str | None) -> str:
    """Why a series cannot be taken; empty if it can.

    Args:
        series: all files of the DICOM series, which may hold several scans.
        members: files of the scan.
        stack: its slices; None if it has none.
        modality: the wanted one, ``CT`` or ``MR``; None for any.
    """
    first, photometric = members[0], {one.text["PhotometricInterpretation"].upper() for one in members}
    if damaged := next((one for one in series if one.fault), None):
        return f"slice {damaged.text['InstanceNumber']} has {damaged.fault} in its DICOM header"
    if stack is None:
        return f"no scan but {UID(first.text['SOPClassUID']).name.removesuffix(' Storage')}"
    if "Secondary Capture" in UID(first.text["SOPClassUID"]).name:
        return "a secondary capture, such as a screenshot"
    if any(one.text["BurnedInAnnotation"].upper() == "YES" for one in members):
        return "text is burnt into its images"
    if any(one.text["SamplesPerPixel"] not in ("", "1") for one in members) or photometric - _GRAY:
        return "in colour"
    if _NEGATIVE in photometric:  # libraries do not agree on the sign of its intensities
        return f"stored as negatives ({_NEGATIVE})"
    if modality is not None and first.text["Modality"] != modality:
        return f"{first.text['Modality'] or 'unknown modality'}, not {modality}"
    if "LOCALIZER" in first.image_type:
        return "a localizer"
    return stack.fault


def reserve_of(members: Sequence[Instance]) -> str:
    """Why a series that can be taken is not taken unless it is asked for; empty if it is."""
    first = members[0]
    if words := [word for word in first.image_type if word in _DERIVED]:
        return f"derived from other images ({words[0]})"
    if _SCOUT.search(first.text["SeriesDescription"] or first.text["ProtocolName"]):
        return "a localizer, by its description"
    return ""
