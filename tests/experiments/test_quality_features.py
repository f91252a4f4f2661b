"""Features that quality does not use, against numbers that one can count."""

from types import SimpleNamespace

import numpy as np
import pytest

from boxes import SHAPE, TRUTH, box
from mass_nnunet.quality.evidence import Evidence
from scripts import load_script


@pytest.fixture(scope="module")
def script():
    return load_script("quality_features")


def of(script, organ, image=TRUTH * 0.5):
    scan = SimpleNamespace(shares=np.stack([1 - TRUTH, TRUTH]), likeness=0.5, judged=TRUTH >= 0)
    case = SimpleNamespace(image=image, voxel_ml=1.0)
    evidence = Evidence(case, {"one": scan}, scan.shares, scan.shares)
    references = {"one": SimpleNamespace(volumes=np.array([64.0]))}
    found = script.candidates(np.stack([1 - organ, organ]), evidence, references)
    return dict(zip(script.CANDIDATES, found[0], strict=True))


def test_the_truth(script):
    found = of(script, TRUTH)
    assert found["agreement"] == pytest.approx(1, abs=1e-5)
    assert found["scattered"] == found["unusual_volume"] == 0
    assert found["contrast"] == 3


def test_errors_are_counted(script):
    half = TRUTH * (np.arange(12) < 4)
    assert of(script, half)["unusual_volume"] == pytest.approx(np.log(65 / 33))
    assert of(script, TRUTH + box((6, 8), (9, 11), (9, 11)))["scattered"] == pytest.approx(8 / 72)
    assert of(script, TRUTH, image=np.zeros(SHAPE, np.float32))["contrast"] == 0


def test_nothing(script):
    found = of(script, 0 * TRUTH)
    assert found["scattered"] == 1
    assert found["contrast"] == 0
