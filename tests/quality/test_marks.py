"""Signs of wrong scans and segmentations that need no registration; the others are seen in test_assessment.py."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mass_nnunet.data.pose import Pose
from mass_nnunet.quality.evidence import Reference
from mass_nnunet.quality.grid import Coarse, Lattice
from mass_nnunet.quality.marks import Usual, marks, most_doubtful, smoothness, strange_intensities, usual

SHAPE = (12, 16, 16)
KNOWN = Usual(0.6, 0.8, (0.0, 5.0), ((20.0, 40.0), (20.0, 40.0)), ((0, 1, 2),))


def scan(percentiles=(0.0, 100.0), pose=Pose.UPRIGHT):
    z, y, x = np.indices(SHAPE)
    image = (0.5 + 0.5 * np.sin(x / 3) * np.cos(y / 4) * np.cos(z / 5)).astype(np.float32)
    return Coarse(image, SHAPE, (10.0, 10.0, 10.0), percentiles, Lattice(pose, 10.0))


def segmentation(first=4, second=10, size=3):
    """Two cubes along x, the first one nearer to the left."""
    found = np.zeros((3, *SHAPE), np.float32)
    for k, start in ((1, first), (2, second)):
        found[k, 5 : 5 + size, 5 : 5 + size, start : start + size] = 1
    found[0] = 1 - found[1:].sum(0).clip(max=1)
    return found


def of(shares, opinion=None, case=None, likeness=0.7, modality="MRI"):
    after = segmentation() if opinion is None else opinion
    evidence = SimpleNamespace(case=case or scan(), after=after, likeness=likeness, seen=lambda shares: shares)
    volumes = [float(part.sum()) for part in shares]
    return marks(shares, volumes, evidence, KNOWN, ["liver", "spleen"], modality)


def test_what_is_right_has_no_mark():
    assert of(segmentation()) == []


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (segmentation(size=0), "nothing is segmented"),
        (segmentation() * np.array([1, 1, 0])[:, None, None, None], "spleen: nothing is segmented"),
        (segmentation(size=5), "liver: 125 ml, where annotated ones have 20 to 40 ml"),
        (segmentation(size=1), "spleen: 1 ml, where annotated ones have 20 to 40 ml"),
        (segmentation(10, 4), "liver: lies nearer to the right than spleen, in no annotated scan"),
        (np.roll(segmentation(), 4, 2), "the segmentation fits better 40 mm further to the back: it is shifted"),
        (np.roll(segmentation(), 4, 1), "liver: cut by the border of the scan at the head"),
    ],
)
def test_wrong_segmentations(shares, message):
    assert message in of(shares)


def test_directions_of_oblique_slices_are_not_those_of_the_body():
    case = scan(pose=Pose.SLICES)
    wrong = [segmentation(10, 4), np.roll(segmentation(), 4, 2), np.roll(segmentation(), 4, 1)]
    found = [text for shares in wrong for text in of(shares, case=case)]
    assert "liver: lies nearer to the right edge than spleen, in no annotated scan" in found
    assert "the segmentation fits better 40 mm further to the lower edge: it is shifted" in found
    assert "liver: cut by the border of the scan at the last slice" in found


def test_an_organ_of_less_than_half_a_coarse_voxel_is_not_missing():
    tiny = segmentation(size=1)
    tiny[1:] *= 0.3
    tiny[0] = 1 - tiny[1:].sum(0)
    found = of(tiny)
    assert "nothing is segmented" not in "; ".join(found)
    assert "liver: 0 ml, where annotated ones have 20 to 40 ml" in found


def test_wrong_scans():
    noise = replace(scan(), image=np.random.default_rng(0).random(SHAPE).astype(np.float32))
    assert any(text.startswith("the scan is noise") for text in of(segmentation(), case=noise))
    assert smoothness(np.zeros((1, 1, 1))) == 0
    (text,) = of(segmentation(), likeness=0.3)
    assert text.startswith("the scan is unlike the annotated ones (likeness 0.30, usually 0.60)")
    dark = scan((-1000.0, 0.0))
    assert any("air has -1000 HU, 0 to 5 in" in text for text in of(segmentation(), case=dark, modality="CT"))


def test_intensities_of_another_modality():
    assert strange_intensities(scan((-90.0, -90.0)), KNOWN, "CT") is None
    assert "it is no CT" in strange_intensities(scan((300.0, 400.0)), KNOWN, "CT")
    assert "as a CT has" in strange_intensities(scan((-1000.0, -900.0)), KNOWN, "MRI")
    assert strange_intensities(scan((-3.0, 100.0)), KNOWN, "MRI") is None


def test_the_most_doubtful_place_is_in_the_middle_of_the_error():
    right = segmentation()[1]
    wrong = right.copy()
    wrong[1:5, 10:14, 10:14] = 1
    z, y, x = most_doubtful(wrong, right)
    assert 1 <= z < 5 and 10 <= y < 14 and 10 <= x < 14


def test_what_is_usual_survives_json():
    assert Usual.from_json(json.loads(json.dumps(KNOWN.as_json()))) == KNOWN


def reference(shares, kept=slice(None)):
    return Reference(scan(), shares, "one", kept)


def test_organs_that_a_cut_scan_does_not_show_whole_say_nothing_of_usual_volumes():
    """The second of two cubes lies at the cut in one scan, and where nothing is annotated in another."""
    whole, at_cut, beyond = segmentation(size=4), segmentation(size=4), segmentation(size=4)
    at_cut[2, -1, 5, 10] = 1
    beyond[2] = 0
    cut = slice(1, 13)
    found = usual({"a": reference(whole), "b": reference(at_cut, cut), "c": reference(beyond, cut)}, {"a": 0.6})
    assert found.volumes == ((64.0, 64.0), (64.0, 64.0))
    assert (0, 1, 2) in found.order
    never_whole = usual({"b": reference(at_cut, cut), "c": reference(beyond, cut)}, {"b": 0.6})
    assert never_whole.volumes[1] == (0.0, 65.0)
