"""Synthetic patients: deterministic, with organs of plausible place and size."""

import numpy as np
import pytest

from mass_nnunet.labels import LABELS
from mass_nnunet.phantom.contrast_mr import SEQUENCES
from mass_nnunet.phantom.patient import Patient, SyntheticScan, make_patient
from mass_nnunet.phantom.tissues import Btcv

SIZE = (20, 64, 64)
# A generous range around adults, in ml.
VOLUMES = {"spleen": (40, 450), "right_kidney": (45, 350), "left_kidney": (45, 350), "liver": (700, 3200)}


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [make_patient(7, index, modality, SIZE) for modality in ("CT", "MRI") for index in range(5)]


def centre_lps(scan: SyntheticScan, mask: np.ndarray) -> np.ndarray:
    """Centre of a mask in mm (left, back, head), from the header alone."""
    index = np.array([axis.mean() for axis in np.nonzero(mask)[::-1]])
    return np.array(scan.origin) + np.reshape(scan.direction, (3, 3)) @ (index * scan.spacing)


def test_same_arguments_same_patient():
    for modality in ("CT", "MRI"):
        once, again = (make_patient(3, 1, modality, (10, 40, 48)) for _ in range(2))
        for name, scan in once.scans.items():
            np.testing.assert_array_equal(scan.image, again.scans[name].image)
            np.testing.assert_array_equal(scan.btcv, again.scans[name].btcv)
            assert scan.origin == again.scans[name].origin
            assert scan.image.shape == scan.organs.shape == (10, 40, 48)


def test_other_seed_or_index_other_patient():
    labels = [make_patient(*which, "CT", (10, 40, 40)).scans["CT"].btcv for which in ((0, 1), (1, 1), (0, 2))]
    assert not np.array_equal(labels[0], labels[1]) and not np.array_equal(labels[0], labels[2])


def test_organs_lie_on_their_sides(patients):
    for patient in patients:
        for scan in patient.scans.values():
            left = {name: centre_lps(scan, scan.organs == value)[0] for name, value in LABELS.items() if value}
            assert left["liver"] < left["spleen"] - 60
            assert left["right_kidney"] < left["left_kidney"] - 60
            head = {name: centre_lps(scan, scan.organs == value)[2] for name, value in LABELS.items() if value}
            assert min(head["liver"], head["spleen"]) > max(head["right_kidney"], head["left_kidney"]) - 20


def test_all_labels_are_there_with_plausible_volumes(patients):
    for patient in patients:
        for scan in patient.scans.values():
            assert set(np.unique(scan.btcv)) == {0, *Btcv}
            for name, (low, high) in VOLUMES.items():
                ml = (scan.organs == LABELS[name]).sum() * np.prod(scan.spacing) / 1000
                assert low < ml < high, (patient.modality, patient.number, name)
                np.testing.assert_array_equal(scan.organs == LABELS[name], scan.btcv == Btcv[name.upper()])


def test_field_of_view_is_an_abdomens(patients):
    for patient in patients:
        for scan in patient.scans.values():
            extent = np.multiply(scan.spacing, scan.image.shape[::-1])
            assert 179 < extent[2] < 321 and 279 < extent[0] < 421 and extent[0] == pytest.approx(extent[1])


def test_ct_is_in_hounsfield_units(patients):
    for patient in (patient for patient in patients if patient.modality == "CT"):
        scan = patient.scans["CT"]
        assert scan.image.dtype == np.int16
        assert np.median(scan.image[:, 0]) == pytest.approx(-1000, abs=10)  # air
        assert 15 < np.median(scan.image[scan.organs == LABELS["liver"]]) < 150


def test_ct_files_run_in_several_directions():
    directions = {make_patient(0, index, "CT", (8, 32, 32)).scans["CT"].direction for index in range(12)}
    assert len(directions) >= 3
    assert all(direction[8] == 1 for direction in directions)


def test_mr_contrast_differs_by_sequence(patients):
    for patient in (patient for patient in patients if patient.modality == "MRI"):
        assert tuple(patient.scans) == SEQUENCES
        liver, spleen = (
            {name: np.median(scan.image[scan.organs == LABELS[organ]]) for name, scan in patient.scans.items()}
            for organ in ("liver", "spleen")
        )
        assert spleen["T2SPIR"] > 1.3 * liver["T2SPIR"]
        assert spleen["T1IN"] < liver["T1IN"]
        assert all(scan.image.dtype == np.uint16 for scan in patient.scans.values())


def test_t1_phases_share_a_grid_and_t2_has_its_own(patients):
    for patient in (patient for patient in patients if patient.modality == "MRI"):
        inside, outside, t2 = (patient.scans[name] for name in SEQUENCES)
        assert inside.origin == outside.origin != t2.origin
        np.testing.assert_array_equal(inside.organs, outside.organs)
        assert not np.array_equal(inside.organs, t2.organs)
