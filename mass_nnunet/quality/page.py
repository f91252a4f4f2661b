"""Tables of the quality of many cases: CSV, JSON and a page that begins with what needs a look."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mass_nnunet.data.files import atomic_path, write_json
from mass_nnunet.reporting import html

from .assessment import GOOD, POOR, Assessment, Organ
from .conformal import ENOUGH, LEVEL
from .estimator import Estimator

CSV, JSON, PAGE = "quality.csv", "quality.json", "quality.html"
"""The files that are written."""

WHOLE, BRANCHES = ("voxel_x", "voxel_y", "slice"), ("branches_x", "branches_y", "branches_slice")
OWN = ("organ", "dice", "dice_low", "dice_high", "hd95", "hd95_low", "hd95_high", "volume_ml", "expected_ml")
"""Columns that have the names of the attributes of an :class:`Organ`."""
PLACE = ("x_mm", "y_mm", "z_mm")
COLUMNS = ("case", "verdict", *OWN, *WHOLE, *PLACE, "others_dice", "branches_dice", *BRANCHES, "marks")


def rows(found: Sequence[Assessment]) -> pd.DataFrame:
    """A row for each case and organ, what needs a look first; one without numbers for an unusable case."""
    table = pd.DataFrame(
        [
            {
                "case": one.case,
                "verdict": one.verdict,
                **{name: getattr(organ, name) for name in OWN},
                **dict(zip(WHOLE, organ.index, strict=True)),
                **dict(zip(PLACE, organ.position, strict=True)),
                "others_dice": organ.others_dice,
                **_branches(organ),
                "marks": "; ".join(one.marks),
            }
            for one in found
            for organ in one.organs
        ]
        + [
            {"case": one.case, "verdict": one.verdict, "marks": "; ".join(one.marks)} for one in found if not one.organs
        ],
        columns=COLUMNS,
    )
    order = {one.case: place for place, one in enumerate(found)}
    table = table.sort_values("case", key=lambda cases: cases.map(order), kind="stable", ignore_index=True)
    return table.astype(dict.fromkeys((*WHOLE, *BRANCHES), "Int64"))


def _branches(organ: Organ) -> dict[str, float | int | None]:
    if organ.branches is None:
        return {}
    index = organ.branches.index or (None, None, None)
    return {"branches_dice": organ.branches.dice, **dict(zip(BRANCHES, index, strict=True))}


def write_tables(folder: Path, found: Sequence[Assessment], estimator: Estimator) -> None:
    """Write the CSV and the JSON, each completely or not at all."""
    with atomic_path(folder / CSV) as temporary:
        rows(found).to_csv(temporary, index=False)
    write_json(
        folder / JSON,
        {"level": LEVEL, "annotated_patients": estimator.patients, "cases": [one.as_json() for one in found]},
    )


def write_quality_page(
    path: Path, found: Sequence[Assessment], pictures: Mapping[str, Path], title: str, estimator: Estimator
) -> None:
    """Write the page.

    Args:
        path: the page.
        found: assessments, what needs a look first.
        pictures: picture of some of the cases, by name.
        title: what was predicted, in a few words.
        estimator: made the estimates.
    """
    html.write_page(path, html.page("What needs a look", _lead(found, title), _sections(found, pictures, estimator)))


def _lead(found: Sequence[Assessment], title: str) -> str:
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in ("poor", "doubtful", "good")}
    if unusable := sum(one.verdict == "unusable" for one in found):
        counts["unusable"] = unusable
    return f"{title}: {len(found)} cases, " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + "."


def few_scans(estimator: Estimator) -> str:
    """How sure the interval is, in one sentence."""
    text = f"The intervals are to hold {LEVEL:.0%} of the Dice of new patients. "
    text += f"They come from {estimator.patients} annotated patients"
    if estimator.patients < ENOUGH:
        return f"{text}, fewer than {ENOUGH}: they are as wide as the largest error there, and say little."
    return f"{text}."


def _sections(found: Sequence[Assessment], pictures: Mapping[str, Path], estimator: Estimator) -> list[Markup]:
    note = (
        "Dice and HD95 are estimated without truth; HD95 is a rough guide. "
        f"Poor: an organ below {POOR}; good: all organs from {GOOD}, and no mark. "
        f"{few_scans(estimator)} An estimate is no proof: what is called good may be wrong."
    )
    if any(organ.others_dice is not None for one in found for organ in one.organs):
        note += " Estimates of Dice are the mean of the Dice with others and of what annotated scans say."
    table = html.table(
        ["case", "verdict", "worst organ", "Dice", "interval", "marks"],
        [[one.case, one.verdict, *_worst(one), len(one.marks)] for one in found],
        text_columns=3,
    )
    sections = [html.section("All cases", html.paragraph(note, "note"), table)]
    if pictures:
        sections.insert(0, html.paragraph(html.PATIENTS, "note"))
    for one in found:
        if one.marks or one.case in pictures:
            sections.append(html.section(f"{one.case}: {one.verdict}", *_case(one, pictures.get(one.case))))
    return sections


def _worst(one: Assessment) -> tuple[str, str, str]:
    if not one.organs:
        return "-", "-", "-"
    organ = min(one.organs, key=lambda organ: organ.dice)
    return organ.organ.replace("_", " "), f"{organ.dice:.2f}", f"{organ.dice_low:.2f} to {organ.dice_high:.2f}"


def _differences(one: Assessment) -> Markup:
    known = [(organ.organ, organ.branches) for organ in one.organs if organ.branches]
    return html.table(
        ["organ", "Dice of head and atlases", "differ most in slice", "at voxel x, y"],
        [
            [
                name.replace("_", " "),
                f"{found.dice:.2f}",
                *((found.index[2], f"{found.index[0]}, {found.index[1]}") if found.index else ("-", "-")),
            ]
            for name, found in known
        ],
    )


def _distance(organ: Organ) -> tuple[str, str]:
    if organ.hd95 is None:
        return "-", "-"
    return f"{organ.hd95:.0f}", f"{organ.hd95_low:.0f} to {organ.hd95_high:.0f}"


def _case(one: Assessment, picture: Path | None) -> list[Markup]:
    parts = [html.items(list(one.marks))] if one.marks else []
    if not one.organs:
        return parts
    others = ["Dice with others"] if one.organs[0].others_dice is not None else []
    where = ["look at slice", "voxel x, y"]
    parts.append(
        html.table(
            ["organ", "Dice", "interval", *others, "HD95, mm", "interval", "ml", "expected ml", *where],
            [
                [
                    organ.organ.replace("_", " "),
                    f"{organ.dice:.2f}",
                    f"{organ.dice_low:.2f} to {organ.dice_high:.2f}",
                    *(f"{organ.others_dice:.2f}" for _ in others),
                    *_distance(organ),
                    f"{organ.volume_ml:.0f}",
                    f"{organ.expected_ml:.0f}",
                    organ.index[2],
                    f"{organ.index[0]}, {organ.index[1]}",
                ]
                for organ in one.organs
            ],
        )
    )
    if any(organ.branches for organ in one.organs):
        parts.append(_differences(one))
    if picture is not None:
        caption = (
            "Filled: the segmentation. White: the second opinion of registered annotations and intensities, which "
            "is coarse and no truth. Red: where they disagree most. The patient's right is on the left of axial slices."
        )
        parts.append(html.picture(picture, caption))
    return parts
