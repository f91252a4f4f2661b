"""A case is judged by the annotated scans that are most alike, and no more than a few."""

import numpy as np

from mass_nnunet.quality import evidence
from mass_nnunet.quality.evidence import gather
from two_organs import scan


def reference(shift):
    return evidence.Reference(*scan(shift))


def test_only_the_most_alike_scans_are_registered(monkeypatch):
    monkeypatch.setattr(evidence, "MOST", 1)
    noise = np.random.default_rng(0).random((20, 24, 24)).astype(np.float32)
    other = evidence.Reference(
        evidence.Coarse(noise, (20, 24, 24), (10.0,) * 3, (0.0, 1.0)), reference((0, 0, 0)).shares
    )
    case, truth = scan((2, 1, 0))
    found = gather(case, {"other": other, "alike": reference((0, 0, 0))})
    assert list(found.laid) == ["alike"]
    assert found.likeness == found.laid["alike"].likeness
    np.testing.assert_array_equal(found.volumes, np.median([r.volumes for r in (other, reference((0, 0, 0)))], 0))
    common = np.minimum(found.after[1], truth[1]).sum()
    assert 2 * common / (found.after[1].sum() + truth[1].sum()) > 0.6
