"""The registry of metrics: each against its function, and what it says of direction, missed organs and text."""

import math

import numpy as np
import pytest
from monai.metrics import compute_dice

from masks import SPACING, blob, box, one_hot
from mass_nnunet.evaluation import metrics
from mass_nnunet.evaluation.command import format_table
from mass_nnunet.evaluation.metrics import (
    DICE,
    HD95,
    Masks,
    Metric,
    dice,
    find_metric,
    list_metrics,
    metrics_among,
    volume_difference,
)
from mass_nnunet.evaluation.scores import Rules, evaluate_folder, score_columns
from mass_nnunet.evaluation.surface import surface_dice, surface_distances
from mass_nnunet.labels import LABELS

ALL = list_metrics([0.5, 2])


def test_dice_of_boxes_and_of_nothing():
    a, b = box((2, 2, 2), (6, 8, 8)), box((4, 2, 2), (8, 8, 8))
    assert dice(a, b) == pytest.approx(0.5)
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert math.isnan(dice(a & ~a, a & ~a))


@pytest.mark.parametrize("seed", range(3))
def test_dice_is_monais(seed):
    a, b = blob(seed), blob(seed) | blob(seed + 10)
    assert dice(a, b) == pytest.approx(compute_dice(one_hot(a), one_hot(b), include_background=False).item())


def test_every_metric_is_its_function_and_in_the_order_of_the_columns():
    prediction, truth = blob(0) | blob(1), blob(0)
    masks = Masks(prediction, truth, SPACING, [0.5, 2])
    measured = {metric.column: metric.measure(masks) for metric in ALL}
    hd, hd95, assd = surface_distances(prediction, truth, SPACING)
    half, two = surface_dice(prediction, truth, SPACING, [0.5, 2])
    volume = np.count_nonzero(prediction) / np.count_nonzero(truth) - 1
    expected = {"dice": dice(prediction, truth), "hd": hd, "hd95": hd95, "assd": assd, "nsd_0.5mm": half}
    expected |= {"nsd_2mm": two, "volume_difference": pytest.approx(volume)}
    assert measured == expected and list(measured) == list(expected)
    assert volume > 0.1 and half < two < 1


def test_volumes_are_in_ml():
    masks = Masks(box((2, 2, 2), (4, 8, 8)), box((2, 2, 2), (6, 8, 8)), (5.0, 2.0, 1.0))
    assert masks.volumes == pytest.approx((0.72, 1.44))
    assert volume_difference(*masks.volumes) == pytest.approx(-0.5)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.column)
def test_a_missed_organ_has_the_value_of_the_function(metric):
    nothing = Masks(np.zeros((12, 20, 24), bool), box((2, 2, 2), (6, 8, 8)), SPACING, [0.5, 2])
    assert metric.measure(nothing) == metric.missed
    perfect = metric.measure(Masks(nothing.truth, nothing.truth, SPACING, [0.5, 2]))
    if metric.better is not None:
        assert metric.is_larger_better == (perfect > metric.missed)


def test_a_column_finds_its_metric():
    for metric in ALL:
        found = find_metric(metric.column)
        assert (found.column, found.title, found.better) == (metric.column, metric.title, metric.better)
    assert find_metric("nsd_2.5mm").title == "NSD 2.5mm" and find_metric("hd95") is HD95
    assert find_metric("nsd_1e-05mm").column == "nsd_1e-05mm"
    for column in ("truth_ml", "nsd", "nsd_mm", "nsd_02mm", "Dice"):
        with pytest.raises(ValueError, match=f"{column} is no metric"):
            find_metric(column)
    assert metrics_among(["case", "hd95", "truth_ml", "dice"]) == [HD95, DICE]


def test_titles_and_digits():
    assert (DICE.title, DICE.text(0.12345), DICE.text(0.12345, "+")) == ("Dice", "0.123", "+0.123")
    assert (HD95.title, HD95.text(12.345), HD95.text(math.inf)) == ("HD95 (mm)", "12.3", "inf")


def test_the_volume_difference_has_no_better_direction():
    with pytest.raises(ValueError, match="does not tell which"):
        find_metric("volume_difference").is_larger_better  # noqa: B018
    assert find_metric("nsd_2mm").is_larger_better and not find_metric("hd").is_larger_better


def test_one_entry_adds_a_metric_everywhere(folders, monkeypatch):
    sensitivity = Metric(
        "sensitivity",
        "sensitivity",
        "share of the true voxels that are predicted",
        lambda masks: np.count_nonzero(masks.prediction & masks.truth) / np.count_nonzero(masks.truth),
        0.0,
        "larger",
        digits=2,
    )
    monkeypatch.setattr(metrics, "_METRICS", (*metrics._METRICS, sensitivity))
    scores = evaluate_folder(*folders, Rules(LABELS))
    assert scores.columns.tolist() == score_columns() and "sensitivity" in scores
    assert scores.dropna()["sensitivity"].tolist() == [1, 1, 0]
    assert "0.50 ± 0.71" in format_table(scores)
    assert find_metric("sensitivity") is sensitivity
