"""Measures of organs and cases for tests of the check, made without a scan."""

from typing import Any

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.checks.findings import CheckedCase
from mass_nnunet.dataset_conversion.checks.inspection import Measures, Organ

CENTRES = {
    "spleen": (100.0, 20.0, 60.0),
    "right_kidney": (-60.0, 40.0, 0.0),
    "left_kidney": (60.0, 40.0, 0.0),
    "liver": (-70.0, 0.0, 60.0),
}
VOLUMES = {"spleen": 200.0, "right_kidney": 150.0, "left_kidney": 160.0, "liver": 1500.0}
INTENSITY = {"min": -1024.0, "low": -1000.0, "median": -100.0, "high": 300.0, "max": 2000.0}


def organ(name: str, **changes: Any) -> Organ:
    values: dict[str, Any] = {
        "volume_ml": VOLUMES[name],
        "centre_mm": CENTRES[name],
        "mean": 90.0,
        "sd": 20.0,
        "cut_off": False,
    }
    return Organ(**values | changes)


def measures(**changes: Any) -> Measures:
    """Measures of a faultless CT."""
    values: dict[str, Any] = {
        "size": (60, 256, 256),
        "spacing": (4.0, 1.5, 1.5),
        "origin": (-190.0, -180.0, 20.0),
        "intensity": INTENSITY,
        "content": "abc",
        "organs": {name: organ(name) for name in CENTRES},
    }
    return Measures(**values | changes)


def checked(name: str = "a", **changes: Any) -> CheckedCase:
    values: dict[str, Any] = {
        "dataset": "Dataset801_A",
        "patient": name,
        "part": Part.TRAINING,
        "image": f"images/{name}",
        "label": f"labels/{name}",
        "measures": measures(content=name),
    }
    return CheckedCase(name=name, **values | changes)
