"""A case is judged by the annotated scans that are most alike, and no more than a few."""

import numpy as np
import pytest

from mass_nnunet.errors import UserError
from mass_nnunet.quality import evidence
from mass_nnunet.quality.evidence import gather, judges
from two_organs import UPRIGHT, scan


def reference(shift):
    return evidence.Reference(*scan(shift), "one")


def test_only_the_most_alike_scans_are_registered(monkeypatch):
    monkeypatch.setattr(evidence, "MOST", 1)
    noise = np.random.default_rng(0).random((20, 24, 24)).astype(np.float32)
    other = evidence.Reference(
        evidence.Coarse(noise, (20, 24, 24), (10.0,) * 3, (0.0, 1.0), UPRIGHT), reference((0, 0, 0)).shares, "other"
    )
    case, truth = scan((2, 1, 0))
    found = gather(case, {"other": other, "alike": reference((0, 0, 0))})
    assert list(found.laid) == ["alike"]
    assert found.likeness == found.laid["alike"].likeness
    common = np.minimum(found.after[1], truth[1]).sum()
    assert 2 * common / (found.after[1].sum() + truth[1].sum()) > 0.6


def test_no_case_is_judged_by_itself_or_its_patient():
    case, _ = scan((2, 1, 0))
    own = evidence.Reference(*scan((2, 1, 0)), "own")
    second = evidence.Reference(*scan((1, 1, 1)), "own")
    other = reference((0, 0, 0))
    known = {"own": own, "second": second, "other": other}
    assert list(judges("renamed", case, known)) == ["other"]
    assert list(judges("own", scan((3, 0, 0))[0], known)) == ["other"]
    assert list(judges("new", scan((3, 0, 0))[0], known)) == list(known)
    with pytest.raises(UserError, match="renamed is annotated itself, and no annotated scan of another patient"):
        judges("renamed", case, {"own": own})
