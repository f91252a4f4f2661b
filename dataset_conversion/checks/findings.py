"""Errors and warnings about a case, and about a dataset as a whole."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from mass_nnunet.data.axes import AXES, through_plane_axis, unlike_axes, usual_axis
from mass_nnunet.data.raw import Part
from mass_nnunet.labels import BACKGROUND, IGNORE, ORGANS

from .anatomy import doubtful, misplaced
from .inspection import Measures, Organ


class Level(Enum):
    """Level of a finding. An error prevents the dataset; a warning should be looked at; a note says what was done."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One sentence about one case."""

    level: Level
    text: str


@dataclass(frozen=True, kw_only=True)
class CheckedCase:
    """A case with its measures and findings.

    Attributes:
        name: name of the case.
        dataset: name of its dataset.
        patient: identifier of the patient.
        part: part of the dataset; None for a case that is left out.
        image: file or folder of the scan, for messages.
        label: file or folder of the labels; None for a scan without labels.
        measures: measures of the case; None if it cannot be read.
        findings: errors, warnings and notes.
    """

    name: str
    dataset: str
    patient: str
    part: Part | None
    image: str
    label: str | None
    measures: Measures | None
    findings: tuple[Finding, ...] = ()

    @property
    def worst(self) -> Level | None:
        """The gravest level of its findings; None without findings."""
        return next((level for level in Level if self.has(level)), None)

    def line(self, *levels: Level) -> str:
        """Its findings of these levels in one line."""
        texts = [found.text for level in levels for found in self.findings if found.level is level]
        return f"{self.name} ({self.label or self.image}): {'; '.join(texts)}"

    def has(self, level: Level) -> bool:
        """Whether there is a finding of this level."""
        return any(finding.level is level for finding in self.findings)


# Mean and standard deviation of HU in an organ, with and without contrast agent.
_ORGAN_HU = (-30, 350)
_ORGAN_SPREAD_HU = 120
_AIR_HU = -150
_EDGE_MM = (0.2, 15)
_EXTENT_MM = (60, 1500)


def position_errors(measures: Measures) -> list[Finding]:
    """Errors for organs on the wrong side, upside down or back to front."""
    organs = measures.organs or {}
    texts = misplaced({name: organ.centre_mm for name, organ in organs.items()})
    # One mistake violates several rules: report only the first.
    return [
        Finding(Level.ERROR, f"{text}: its orientation or its label values are wrong; correct or remove it")
        for text in texts[:1]
    ]


def unusual_findings(
    measures: Measures, labels: Mapping[str, int], channel: str, annotated: Collection[str] | None = None
) -> list[Finding]:
    """Warnings for unusual grids, intensities, positions and volumes, absent organs, and organs that end bluntly.

    Only the organs of ``labels`` that were ``annotated`` can be absent; None: all of them were.
    """
    texts = [*_grid(measures), *_intensities(measures, channel)]
    if (organs := measures.organs) is not None:
        if absent := [name for name in absent_organs(organs, labels) if annotated is None or name in annotated]:
            texts.append(f"no {', '.join(absent)}")
        texts += doubtful(
            {name: organ.centre_mm for name, organ in organs.items()},
            {name: organ.volume_ml for name, organ in organs.items()},
        )
        texts += [f"{name} ends bluntly inside of the scan" for name, organ in organs.items() if organ.cut_off]
        texts += [
            f"{name} is absent in {organ.left_out} slices between others that show it: if nobody annotated them, give "
            f"them the label {IGNORE}"
            for name, organ in organs.items()
            if organ.left_out
        ]
        if measures.unannotated is not None:
            texts.append(
                "{} slices at one end and {} at the other have no label where an organ ends bluntly: if nobody "
                "annotated them, set them to ignore (`mass_nnunet relabel --ignore-ends`)".format(*measures.unannotated)
            )
        if channel == "CT":
            texts += _hounsfield(organs)
    return [Finding(Level.WARNING, text) for text in texts]


def absent_organs(organs: Mapping[str, Organ], labels: Mapping[str, int]) -> list[str]:
    """Organs of the dataset that a label map lacks."""
    return [name for name in labels if name not in (BACKGROUND, IGNORE) and name not in organs]


def _grid(measures: Measures) -> list[str]:
    texts = []
    edges = np.array(measures.spacing)
    if edges.min() < _EDGE_MM[0] or edges.max() > _EDGE_MM[1]:
        texts.append(f"voxels of {' x '.join(f'{edge:.3g}' for edge in edges)} mm (z y x)")
    extent = edges * measures.size
    if extent.min() < _EXTENT_MM[0] or extent.max() > _EXTENT_MM[1]:
        texts.append(f"{' x '.join(f'{length:.0f}' for length in extent)} mm in all (z y x)")
    if np.all(edges == 1) and not np.any(measures.origin):
        texts.append("voxels of 1 mm from the origin on: was its header lost?")
    return texts


def _intensities(measures: Measures, channel: str) -> list[str]:
    value = measures.intensity
    if channel == "CT":
        if value["min"] >= 0 and value["max"] <= 255:
            return ["intensities of 0 to 255: these are no Hounsfield units"]
        if value["low"] > _AIR_HU:
            return [f"no air, its lowest intensities are about {value['low']:.0f}: are these Hounsfield units?"]
    elif value["low"] < -500:
        return [f"intensities from {value['min']:.0f}, as if it were a CT: is the modality right?"]
    return []


def _hounsfield(organs: Mapping[str, Organ]) -> list[str]:
    texts = []
    for name, organ in organs.items():
        if name not in ORGANS:
            continue
        if not _ORGAN_HU[0] <= organ.mean <= _ORGAN_HU[1]:
            texts.append(f"{name} of {organ.mean:.0f} HU: are these Hounsfield units, and does the label lie on it?")
        elif organ.sd > _ORGAN_SPREAD_HU:
            texts.append(f"{name} of {organ.mean:.0f} ± {organ.sd:.0f} HU: does the label lie on it?")
    return texts


def compare_cases(cases: Sequence[CheckedCase]) -> list[CheckedCase]:
    """Find equal images, patients in both the training and the test part, and differing axes, among cases of datasets.

    Between datasets, equal names of patients are only a warning, because they may be different people.

    Returns:
        The cases with these findings added.
    """
    found = defaultdict(list)
    by_content, by_patient = defaultdict(list), defaultdict(list)
    for case in cases:
        if case.part is None:
            continue
        if case.measures is not None:
            by_content[case.measures.content].append(case)
        by_patient[case.patient].append(case)
    for same in by_content.values():
        for case in same[1:]:
            first = same[0]
            leak = (case.part is Part.TEST) != (first.part is Part.TEST)
            between = f", one to train and one to test on ({_place(first)}, {_place(case)})" if leak else ""
            text = f"{case.image} is the same image as {first.image}{between}: remove one of them"
            found[case.dataset, case.name].append(Finding(Level.ERROR if leak else Level.WARNING, text))
    for scans in by_patient.values():
        tested = [case for case in scans if case.part is Part.TEST]
        for case in scans:
            if tested and case.part is not Part.TEST:
                level = Level.ERROR if case.dataset == tested[0].dataset else Level.WARNING
                text = f"patient {case.patient} is in {_place(case)}, and in {_place(tested[0])} as {tested[0].name}"
                found[case.dataset, case.name].append(Finding(level, f"{text}: move one of them"))
    for case, finding in [*_other_axes(cases), *_other_pose(cases)]:
        found[case.dataset, case.name].append(finding)
    return [replace(case, findings=(*case.findings, *found.get((case.dataset, case.name), ()))) for case in cases]


def _other_axes(cases: Sequence[CheckedCase]) -> list[tuple[CheckedCase, Finding]]:
    """A warning for each scan with slices along another axis than in most scans, as oblique scans of hearts have."""
    axes = [
        (case, through_plane_axis(case.measures.spacing))
        for case in cases
        if case.part is not None and case.measures is not None
    ]
    usual = usual_axis(axis for _, axis in axes)
    return [
        (
            case,
            Finding(
                Level.WARNING,
                f"its slices are stacked along {AXES[axis]}, those of most other scans along {AXES[usual]}: "
                "turn it or leave it out, since `mass_nnunet plan` refuses such a mixture (`mass_nnunet convert nifti` "
                "keeps oblique slices with --pose slices)",
            ),
        )
        for case, axis in axes
        if axis is not None and usual is not None and axis != usual
    ]


def _other_pose(cases: Sequence[CheckedCase]) -> list[tuple[CheckedCase, Finding]]:
    """A warning for each scan with axes in another order or direction than in most scans that nnU-Net does not turn."""
    scans = [
        (case, np.array(case.measures.axes))
        for case in cases
        if case.part is not None and case.measures is not None and case.measures.axes is not None
    ]
    text = (
        "its axes are stored in another order or direction than those of most other scans, and the dataset's reader "
        "does not turn them: turn it with `mass_nnunet turn`, or leave it out"
    )
    unlike = unlike_axes([axes for _, axes in scans])
    return [(case, Finding(Level.WARNING, text)) for (case, _), other in zip(scans, unlike, strict=True) if other]


def _place(case: CheckedCase) -> str:
    return f"{case.dataset}/{case.part}"
