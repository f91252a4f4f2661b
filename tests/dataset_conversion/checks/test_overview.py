import numpy as np
import pytest
from matplotlib.image import imread

from mass_nnunet.data.raw import Part
from mass_nnunet.dataset_conversion.checks.findings import Finding, Level
from mass_nnunet.dataset_conversion.checks.inspection import Preview
from mass_nnunet.dataset_conversion.checks.overview import plot_overview
from mass_nnunet.labels import LABELS
from measures import checked

LIVER = np.array([0xD5, 0x5E, 0x7A]) / 255
RED = np.array([0xC6, 0x28, 0x28]) / 255


def count(picture: np.ndarray, colour: np.ndarray) -> int:
    return int((np.abs(picture[..., :3] - colour).max(-1) < 0.05).sum())


def draw(tmp_path, cases, label: np.ndarray) -> np.ndarray:
    previews = {case.name: Preview(np.full(label.shape, 90, np.uint8), label, 1.0) for case in cases}
    plot_overview(cases, previews, LABELS, tmp_path / "x.png")
    return imread(tmp_path / "x.png")


@pytest.fixture
def label() -> np.ndarray:
    label = np.zeros((64, 64), np.uint8)
    label[10:40, 10:40] = LABELS["liver"]
    return label


def test_organs_have_contours_and_errors_are_red(tmp_path, label):
    sound = draw(tmp_path, [checked(f"c{i}") for i in range(3)], label)
    nothing = draw(tmp_path, [checked(f"c{i}") for i in range(3)], np.zeros_like(label))
    assert count(sound, LIVER) > count(nothing, LIVER) + 100  # the legend has the colour as well
    assert count(sound, RED) == 0
    wrong = draw(tmp_path, [checked("c0", findings=(Finding(Level.ERROR, "x"),)), checked("c1")], label)
    assert count(wrong, RED) > 20


def test_scans_without_labels_have_no_contour_and_no_legend(tmp_path, label):
    assert count(draw(tmp_path, [checked("c0", part=Part.UNLABELLED)], label), LIVER) == 0


def test_many_cases_take_more_rows(tmp_path, label):
    one, three = (draw(tmp_path, [checked(f"c{i}") for i in range(n)], label).shape for n in (8, 17))
    assert three[1] == one[1]
    assert three[0] > 2.5 * (one[0] - 60)
