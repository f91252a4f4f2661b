"""The quality of one segmented case: estimates and marks, and where to look."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mass_nnunet.data.raw import RawDataset

from .agreement import joined
from .branches import Disagreement
from .calibration import Calibration
from .distance_estimator import DistanceEstimator
from .distances import KnownSurfaces, surfaces_of
from .estimator import Estimator
from .evidence import Evidence, Reference, gather, judges
from .features import features
from .grid import Coarse, Segmented, check_grid, read_scan, read_shares
from .marks import marks, most_doubtful
from .references import lattice_of_all

POOR, GOOD = 0.6, 0.8
"""Estimated Dice below which an organ is poor, and from which it is good."""


@dataclass(frozen=True)
class Organ:
    """The quality of one organ.

    Attributes:
        organ: its name.
        dice: estimated Dice; with ``others_dice`` it takes that in.
        dice_low: lower end of the interval.
        dice_high: upper end.
        hd95: estimated HD95 in mm; None where the organ fills no voxel of the coarse grid.
        hd95_low: lower end of its interval, or None.
        hd95_high: upper end, or None.
        volume_ml: segmented volume.
        expected_ml: volume that the second opinion expects.
        index: voxel (x, y, z) of the file of the scan, counted from 0, where prediction and second opinion disagree
            most; z is the slice of an axial file.
        position: the same place in mm (x, y, z), LPS.
        others_dice: mean Dice with other segmentations of the scan; None without any.
        branches: how much head and atlases of a model disagree about it; None without a model.
    """

    organ: str
    dice: float
    dice_low: float
    dice_high: float
    hd95: float | None
    hd95_low: float | None
    hd95_high: float | None
    volume_ml: float
    expected_ml: float
    index: tuple[int, int, int]
    position: tuple[float, float, float]
    others_dice: float | None = None
    branches: Disagreement | None = None


@dataclass(frozen=True)
class Assessment:
    """The quality of one case.

    Attributes:
        case: its name.
        organs: quality of each organ; none if a file could not be read.
        marks: signs that something is wrong, one line each.
        likeness: of the scan to the annotated ones (:attr:`Evidence.likeness`); 0 if a file could not be read.
    """

    case: str
    organs: tuple[Organ, ...]
    marks: tuple[str, ...]
    likeness: float = 0.0

    @property
    def verdict(self) -> str:
        """``unusable``, ``poor``, ``doubtful`` or ``good``: a marked case is never good."""
        if not self.organs:
            return "unusable"
        worst = min(organ.dice for organ in self.organs)
        if worst < POOR:
            return "poor"
        return "good" if worst >= GOOD and not self.marks else "doubtful"

    @property
    def urgency(self) -> float:
        """Sort key of tables and pages, lowest first: the mean estimated Dice, less 0.1 for each mark."""
        if not self.organs:
            return -float("inf")
        return float(np.mean([organ.dice for organ in self.organs])) - 0.1 * len(self.marks)

    def as_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        content = {"case": self.case, "verdict": self.verdict, "likeness": self.likeness, "marks": list(self.marks)}
        return content | {"organs": [asdict(organ) for organ in self.organs]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Assessment":
        """From :meth:`as_json`."""
        organs = tuple(_organ(organ) for organ in content["organs"])
        return cls(content["case"], organs, tuple(content["marks"]), content["likeness"])

    def with_branches(self, found: Mapping[str, Disagreement]) -> "Assessment":
        """The same, with how much head and atlases of a model disagree about each organ."""
        return replace(self, organs=tuple(replace(one, branches=found.get(one.organ)) for one in self.organs))

    def with_others(self, agreed: Mapping[str, float], estimator: Estimator) -> "Assessment":
        """The same, where the Dice with other segmentations counts (:func:`mass_nnunet.quality.agreement.joined`).

        Args:
            agreed: that Dice by organ; organs that it lacks stay as they are.
            estimator: made the estimates.
        """
        return replace(self, organs=tuple(self._joined(organ, agreed, estimator) for organ in self.organs))

    def _joined(self, organ: Organ, agreed: Mapping[str, float], estimator: Estimator) -> Organ:
        if organ.organ not in agreed:
            return organ
        others = agreed[organ.organ]
        dice = joined(organ.dice, others) if organ.volume_ml > 0 else organ.dice
        low, high = estimator.interval(np.array(dice), self.likeness)
        return replace(
            organ,
            dice=round(dice, 4),
            dice_low=round(float(low), 4),
            dice_high=round(float(high), 4),
            others_dice=round(others, 4),
        )


def _organ(content: Mapping[str, Any]) -> Organ:
    """An organ from JSON, which has lists in the place of tuples."""
    values = {**content, "index": tuple(content["index"]), "position": tuple(content["position"])}
    if values["branches"] is not None:
        values["branches"] = Disagreement.from_json(values["branches"])
    return Organ(**values)


def assess(
    case: str,
    image: Path,
    prediction: Path,
    dataset: RawDataset,
    references: Mapping[str, Reference],
    calibration: Calibration,
) -> tuple[Assessment, Evidence]:
    """Estimate the quality of a segmentation.

    Args:
        case: name of the case.
        image: first channel of the scan.
        prediction: its segmentation.
        dataset: the dataset whose labels these are.
        references: annotated scans of its modality, by name; if the case is one of them, it is left out.
        calibration: made with these.

    Returns:
        The assessment, and what it rests on.

    Raises:
        UserError: a file is no sound volume, the two have different grids, or no annotated scan is left.
    """
    lattice = lattice_of_all(references)
    scan, stored = read_scan(image, dataset.channels[0], lattice)
    segmented = read_shares(prediction, dataset.labels, lattice)
    check_grid(prediction, segmented.stored, stored)
    evidence = gather(scan, judges(case, scan, references))
    organs = [name for name in dataset.labels if name != "background"]
    signs = marks(segmented.shares, segmented.volumes, evidence, calibration.usual, organs, dataset.channels[0])
    found = _organs(segmented, evidence, calibration, organs, stored)
    return Assessment(case, tuple(found), tuple(signs), round(evidence.likeness, 4)), evidence


def _organs(
    segmented: Segmented, evidence: Evidence, calibration: Calibration, organs: Sequence[str], stored: sitk.Image
) -> list[Organ]:
    """The quality of each organ of a segmentation; ``stored`` is the file of its scan."""
    shares = segmented.shares
    estimated = calibration.estimator.estimate(features(shares, evidence))
    estimated = np.where(np.array(segmented.volumes[1:]) > 0, estimated, 0.0)  # nothing overlaps with nothing
    low, high = calibration.estimator.interval(estimated, evidence.likeness)
    seen = evidence.seen(shares)
    distances = _distances(seen, evidence, calibration.distance)
    result = []
    for k, organ in enumerate(organs, 1):
        index = file_index(most_doubtful(seen[k], evidence.after[k]), evidence.case, stored)
        x, y, z = (round(float(value), 1) for value in stored.TransformIndexToPhysicalPoint(index))
        hd95, hd95_low, hd95_high = distances[k - 1]
        result.append(
            Organ(
                organ=organ,
                dice=round(float(estimated[k - 1]), 4),
                dice_low=round(float(low[k - 1]), 4),
                dice_high=round(float(high[k - 1]), 4),
                hd95=hd95,
                hd95_low=hd95_low,
                hd95_high=hd95_high,
                volume_ml=round(segmented.volumes[k], 2),
                expected_ml=round(float(evidence.after[k].sum()) * evidence.case.voxel_ml, 2),
                index=index,
                position=(x, y, z),
            )
        )
    return result


def _distances(
    shares: np.ndarray, evidence: Evidence, estimator: DistanceEstimator | None
) -> list[tuple[float | None, float | None, float | None]]:
    """HD95 in mm of each organ, and the ends of its interval."""
    if estimator is None:
        return [(None, None, None)] * (len(shares) - 1)
    numbers = KnownSurfaces(evidence).features(surfaces_of(shares, evidence.case.edges))
    low, high = estimator.interval(numbers, evidence.likeness)
    rows = zip(estimator.estimate(numbers), low, high, strict=True)
    return [(_tenth(middle), _tenth(least), _tenth(most)) for middle, least, most in rows]


def _tenth(number: float) -> float | None:
    return None if np.isnan(number) else round(float(number), 1)


def file_index(place: tuple[int, int, int], case: Coarse, stored: sitk.Image) -> tuple[int, int, int]:
    """Index (x, y, z) in a scan's file of a voxel (z, y, x) of its coarse grid."""
    fine = [min(n - 1, int((p + 0.5) * n / m)) for p, n, m in zip(place, case.size, case.image.shape, strict=True)]
    turned = case.lattice.pose.turn(stored)
    point = turned.TransformIndexToPhysicalPoint([int(i) for i in fine[::-1]])
    x, y, z = stored.TransformPhysicalPointToIndex(point)
    return int(x), int(y), int(z)
