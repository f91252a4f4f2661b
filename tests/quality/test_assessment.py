"""Wrong scans and wrong segmentations are marked, and never called good; right ones are estimated high."""

import re

import numpy as np
import pytest
import SimpleITK as sitk

from mass_nnunet.errors import UserError
from mass_nnunet.phantom.patient import make_patient
from mass_nnunet.quality.assessment import GOOD, POOR, Assessment, assess
from quality_world import write_scan

CASE = "ct4"


def found_for(world, calibrated, folder, image=None, labels=None, like=None):
    """The assessment of a test scan whose image or labels are replaced."""
    like = like or world.patients[CASE]
    write_scan(folder / f"{CASE}_0000.nii.gz", like.image if image is None else image, like)
    write_scan(folder / f"{CASE}.nii.gz", like.organs if labels is None else labels, like)
    files = folder / f"{CASE}_0000.nii.gz", folder / f"{CASE}.nii.gz"
    return assess(CASE, *files, calibrated.dataset, calibrated.references, calibrated.calibration)[0]


def test_a_right_segmentation_is_estimated_high_and_not_marked(world, calibrated, tmp_path):
    found = found_for(world, calibrated, tmp_path)
    assert found.marks == ()
    assert found.verdict != "poor"
    assert min(organ.dice for organ in found.organs) > POOR
    for organ, value in zip(found.organs, range(1, 5), strict=True):
        voxel = np.prod(world.patients[CASE].spacing) / 1000
        assert organ.volume_ml == pytest.approx(
            (world.patients[CASE].organs == value).sum() * voxel, rel=1e-3, abs=0.01
        )
        assert organ.dice_low <= organ.dice <= organ.dice_high
        assert 0 <= organ.hd95_low <= organ.hd95 <= organ.hd95_high < 200


def test_a_false_part_far_away_has_a_larger_hd95(world, calibrated, tmp_path):
    right = found_for(world, calibrated, tmp_path).organs
    labels = world.patients[CASE].organs.copy()
    labels[2:9, 4:14, 4:14] = 4
    wrong = found_for(world, calibrated, tmp_path, labels=labels).organs
    assert wrong[3].hd95 > 1.5 * right[3].hd95
    assert wrong[3].hd95_high > right[3].hd95_high
    assert wrong[0].hd95 == right[0].hd95


def test_an_organ_that_is_not_segmented_has_no_hd95(world, calibrated, tmp_path):
    labels = world.patients[CASE].organs.copy()
    labels[labels == 4] = 0
    *others, liver = found_for(world, calibrated, tmp_path, labels=labels).organs
    assert (liver.hd95, liver.hd95_low, liver.hd95_high) == (None, None, None)
    assert all(organ.hd95 is not None for organ in others)


def test_an_annotated_case_is_not_judged_by_its_own_annotation(world, calibrated):
    files = [world.raw / part / name for part, name in (("imagesTr", "ct0_0000.nii.gz"), ("labelsTr", "ct0.nii.gz"))]
    for name in ("ct0", "renamed"):
        _, evidence = assess(name, *files, calibrated.dataset, calibrated.references, calibrated.calibration)
        assert sorted(evidence.laid) == ["ct1", "ct2"]


def test_a_small_organ_is_not_estimated_as_missing(world, calibrated, tmp_path):
    labels = world.patients[CASE].organs.copy()
    place = tuple(np.argwhere(labels == 1)[0])
    labels[labels == 1] = 0
    labels[place] = 1
    found = found_for(world, calibrated, tmp_path, labels=labels)
    assert found.organs[0].dice > 0
    assert "spleen: nothing is segmented" not in found.marks


def mri(world):
    scan = make_patient(3, 4, "MRI", (24, 48, 48)).scans["T2SPIR"]
    return {"image": scan.image, "labels": scan.organs, "like": scan}


def noise(world):
    return {"image": np.random.default_rng(0).integers(-1000, 1000, world.patients[CASE].image.shape, np.int16)}


def other_body_part(world):
    scan = world.patients[CASE]
    y, x = np.indices(scan.image.shape)[1:]
    legs = sum(((y - 24) ** 2 + (x - centre) ** 2 < 60).astype(int) for centre in (14, 34))
    return {"image": np.where(legs > 0, 60, -1000).astype(np.int16)}


def upside_down(world):
    scan = world.patients[CASE]
    return {"image": scan.image[::-1].copy(), "labels": scan.organs[::-1].copy()}


def mirrored(world):
    scan = world.patients[CASE]
    return {"image": scan.image[..., ::-1].copy(), "labels": scan.organs[..., ::-1].copy()}


def swapped_sides(world):
    return {"labels": np.array([0, 1, 3, 2, 4], np.uint8)[world.patients[CASE].organs]}


def flipped_labels(world):
    return {"labels": world.patients[CASE].organs[..., ::-1].copy()}


def empty(world):
    return {"labels": np.zeros_like(world.patients[CASE].organs)}


def shifted(world):
    scan = world.patients[CASE]
    return {"labels": np.roll(scan.organs, round(50 / scan.spacing[1]), 1)}


def cut_in_half(world):
    labels = world.patients[CASE].organs.copy()
    half = np.flatnonzero((labels > 0).any((1, 2)))
    labels[: half[len(half) // 2]] = 0
    return {"labels": labels}


def scan_cut_in_half(world):
    scan = world.patients[CASE]
    middle = int(np.median(np.flatnonzero((scan.organs > 0).any((1, 2)))))
    return {"image": scan.image[:middle], "labels": scan.organs[:middle]}


def one_organ_everywhere(world):
    scan = world.patients[CASE]
    return {"labels": (scan.image > -200).astype(np.uint8) * 4}


WRONG = {
    mri: "it is no CT",
    noise: "noise",
    other_body_part: "unlike the annotated ones|fits better",
    upside_down: "nearer to the head",
    mirrored: "nearer to the right",
    swapped_sides: "nearer to the right",
    flipped_labels: "nearer to the right",
    empty: "nothing is segmented",
    shifted: "fits better .* mm further to the (front|back)",
    cut_in_half: "ml, where annotated|nothing is segmented|fits better",
    scan_cut_in_half: "cut by the border of the scan at the head|feet",
    one_organ_everywhere: "liver: .* ml, where annotated ones have",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_is_wrong_is_marked_and_never_good(world, calibrated, tmp_path, wrong):
    found = found_for(world, calibrated, tmp_path, **wrong(world))
    assert found.verdict != "good"
    assert found.marks
    assert all("\n" not in text for text in found.marks)
    assert re.search(WRONG[wrong], "; ".join(found.marks)), found.marks


def test_a_prediction_on_another_grid_is_refused(world, calibrated, tmp_path):
    scan = world.patients[CASE]
    write_scan(tmp_path / "image.nii.gz", scan.image, scan)
    write_scan(tmp_path / "labels.nii.gz", scan.organs[1:], scan)
    files = tmp_path / "image.nii.gz", tmp_path / "labels.nii.gz"
    with pytest.raises(UserError, match=r"labels.nii.gz has .* voxels .*, but its scan"):
        assess(CASE, *files, calibrated.dataset, calibrated.references, calibrated.calibration)


def test_the_place_to_look_at_is_the_one_that_is_wrong(world, calibrated, tmp_path):
    scan = world.patients[CASE]
    labels = scan.organs.copy()
    corner = (slice(2, 9), slice(4, 14), slice(4, 14))
    labels[corner] = 4
    organ = found_for(world, calibrated, tmp_path, labels=labels).organs[3]
    x, y, z = organ.index
    assert 1 <= z < 10 and 3 <= y < 15 and 3 <= x < 15
    image = sitk.ReadImage(str(tmp_path / f"{CASE}_0000.nii.gz"))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(organ.index), organ.position, atol=0.06)


def test_an_assessment_survives_json(world, calibrated, tmp_path):
    found = found_for(world, calibrated, tmp_path, **empty(world))
    again = Assessment.from_json(found.as_json())
    assert again == found
    assert found.verdict == "poor"
    assert {organ.dice for organ in found.organs} == {0.0}
    assert found.urgency < GOOD
