"""Findings of one kind in many scans: they are told in one line, not in one line for each scan."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from mass_nnunet.data.outdated import named

from .findings import CheckedCase, Finding, Level

MANY = 4
"""Scans with findings of one kind from which on they are told together."""


def kind(finding: Finding, structures: Collection[str]) -> str:
    """The text of a finding without what differs from scan to scan: files, numbers, and names of structures.

    Args:
        finding: the finding.
        structures: names of the structures of the dataset.
    """
    text = re.sub(r"\S*/\S*|-?\w*\d\w*(\.\d+)?", "?", finding.text)
    if structures:
        text = re.sub(rf"(?<!\w)({'|'.join(map(re.escape, structures))})(?!\w)", "?", text)
    return re.sub(r"\?(, \?)+", "?", text)


def told_together(
    checked: Sequence[CheckedCase], level: Level, structures: Collection[str], where: str
) -> tuple[list[str], list[CheckedCase]]:
    """A line for each kind of finding that many scans have, and the scans without these findings.

    Args:
        checked: the scans.
        level: level of the findings; those of other levels stay.
        structures: names of the structures of the dataset.
        where: the file that names all scans.
    """
    scans: dict[str, dict[str, str]] = defaultdict(dict)  # kind, name, and the first text of that kind
    for case in checked:
        for finding in case.findings:
            if finding.level is level:
                scans[kind(finding, structures)].setdefault(case.name, finding.text)
    common = {its_kind: texts for its_kind, texts in scans.items() if len(texts) >= MANY}
    lines = []
    for texts in common.values():
        first, text = next(iter(texts.items()))
        example = "" if len(set(texts.values())) == 1 else f", as in {first}"
        lines.append(f"{level.value}: {len(texts)} scans ({named(texts)}; all in {where}){example}: {text}")

    def stays(finding: Finding) -> bool:
        return finding.level is not level or kind(finding, structures) not in common

    return lines, [replace(case, findings=tuple(filter(stays, case.findings))) for case in checked]
