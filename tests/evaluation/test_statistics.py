"""Means, intervals, tests and rankings of scores against closed forms, scipy, and Holm's procedure step by step."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, bootstrap, wilcoxon

from mass_nnunet.evaluation.statistics import (
    MIN_PATIENTS,
    bootstrap_means,
    compare,
    compare_all,
    describe,
    holm,
    patient_values,
    rank_methods,
)

ORGANS, SEEDS = ("liver", "spleen"), (0, 1)


def scores(gains, patients=6, modality="CT", rate=0.1, measure="dice"):
    """Patient i has 0.5 + 0.05 i, and each method its gain; the liver 0.1 more, and seed 1 0.02 more."""
    rows = [
        {
            "method": method,
            "modality": modality,
            "label_rate": rate,
            "seed": seed,
            "case": f"scan{i}",
            "organ": organ,
            measure: 0.5 + 0.05 * i + (gain[i] if np.ndim(gain) else gain) + 0.1 * (organ == "liver") + 0.02 * seed,
        }
        for method, gain in gains.items()
        for i in range(patients)
        for organ in ORGANS
        for seed in SEEDS
    ]
    return pd.DataFrame(rows)


def test_value_of_a_patient_is_the_mean_over_organs_then_over_scans_and_seeds():
    rows = [("p", "a", "liver", 0.9), ("p", "a", "spleen", 0.5), ("p", "b", "liver", 0.3), ("q", "c", "liver", 0.2)]
    table = pd.DataFrame(rows, columns=["patient", "case", "organ", "dice"]).assign(method="A")
    values = patient_values(table, "dice", ["A"])["A"]
    assert values.to_dict() == pytest.approx({"p": 0.5, "q": 0.2})


def test_cases_of_one_name_in_two_modalities_are_two_patients():
    both = pd.concat([scores({"A": 0.1}), scores({"A": 0.2}, modality="MRI")])
    assert len(patient_values(both, "dice", ["A"])) == 12
    assert len(patient_values(both.assign(patient=both["case"]), "dice", ["A"])) == 6


def test_only_what_both_scored_is_compared():
    table = scores({"A": 0.1, "B": 0.0})
    table.loc[(table["method"] == "A") & (table["organ"] == "spleen"), "dice"] = np.nan
    table = table[(table["method"] == "B") | (table["seed"] == 1)]
    difference, _, patients = compare(table, "dice", "A", "B")
    assert difference == pytest.approx(0.1)  # with the spleen of B alone it would be 0.15
    assert patients == 6


def test_seeds_and_organs_are_no_further_patients():
    gains = np.array([0.1, 0.2, 0.15, -0.05, 0.3, 0.12])
    found = compare(scores({"A": gains, "B": 0.0}), "dice", "A", "B")
    assert found.difference == pytest.approx(gains.mean())
    assert found.p == pytest.approx(wilcoxon(gains).pvalue) == pytest.approx(2 / 2**6 * 2)
    assert found.patients == 6


def test_all_of_six_differences_of_one_sign():
    assert compare(scores({"A": 0.1, "B": 0.0}), "dice", "A", "B").p == pytest.approx(2 / 2**6)


def test_too_few_patients_and_no_difference_have_no_p():
    difference, p, patients = compare(scores({"A": 0.1, "B": 0.0}, MIN_PATIENTS - 1), "dice", "A", "B")
    assert (difference, patients) == (pytest.approx(0.1), 5) and np.isnan(p)
    difference, p, patients = compare(scores({"A": 0.1}), "dice", "A", "A2")
    assert np.isnan(difference) and np.isnan(p) and patients == 0
    difference, p, patients = compare(scores({"A": 0.1, "B": 0.1}), "dice", "A", "B")
    assert (difference, patients) == (0, 6) and np.isnan(p)


def test_an_organ_that_was_not_found_is_the_worst_distance():
    table = scores({"A": -0.1, "B": 0.0}, measure="hd95")
    missed = table["case"].eq("scan0") & table["organ"].eq("liver")
    table.loc[missed & table["method"].eq("A"), "hd95"] = np.inf
    difference, p, patients = compare(table, "hd95", "A", "B")
    assert difference == pytest.approx(-0.1) and patients == 6
    assert p == pytest.approx(wilcoxon([9, -0.1, -0.1, -0.1, -0.1, -0.1]).pvalue)
    table.loc[missed, "hd95"] = np.inf
    # Rounding of means, which makes no two of the differences quite alike, must not part them.
    assert compare(table, "hd95", "A", "B").p == pytest.approx(wilcoxon([0, -0.1, -0.1, -0.1, -0.1, -0.1]).pvalue)


def test_holm_of_three():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert holm([]).size == 0 and np.isnan(holm([np.nan])).all()


@pytest.mark.parametrize("seed", range(5))
def test_holm_rejects_what_stepping_down_rejects(seed):
    p = np.random.default_rng(seed).uniform(size=8) ** 3
    for level in (0.01, 0.05, 0.2):
        rejected = np.zeros(8, bool)
        for step, place in enumerate(np.argsort(p)):
            if p[place] > level / (8 - step):
                break
            rejected[place] = True
        assert np.array_equal(holm(p) <= level, rejected)


def test_all_comparisons_are_one_family():
    table = pd.concat([scores({"A": 0.1, "B": 0.0, "C": -0.1}), scores({"A": 0.1, "B": 0.0}, modality="MRI")])
    pairs = compare_all(table, "dice")
    names = pairs[["modality", "method", "other"]].agg(" ".join, axis=1)
    assert names.tolist() == ["CT A B", "CT A C", "CT B C", "MRI A B"]
    assert pairs["p_holm"].tolist() == pytest.approx([4 * 2 / 2**6] * 4)
    against = compare_all(table, "dice", reference="B")
    assert against["difference"].tolist() == pytest.approx([0.1, -0.1, 0.1])
    assert against["p_holm"].tolist() == pytest.approx([3 * 2 / 2**6] * 3)


def test_interval_is_scipys_percentile_bootstrap():
    values = np.random.default_rng(1).gamma(2, size=30)
    assert not np.array_equal(*(bootstrap_means(values[:, None], seed=seed) for seed in (0, 1)))
    ours = np.percentile(bootstrap_means(values[:, None], 20000, seed=3)[:, 0], (2.5, 97.5))
    theirs = bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=4).confidence_interval
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_description():
    table = scores({"A": 0.0, "B": 0.1})
    found = describe(table, "dice")
    assert found[["method", "modality", "label_rate"]].values.tolist() == [["A", "CT", 0.1], ["B", "CT", 0.1]]
    first = found.iloc[0]
    assert first["mean"] == pytest.approx(0.5 + 0.05 * 2.5 + 0.05 + 0.01)
    assert first["sd"] == pytest.approx(0.02 / np.sqrt(2))
    assert 0.5 < first["low"] < first["mean"] < first["high"] < 0.9
    assert first[["patients", "seeds", "missed"]].tolist() == [6, 2, 0]
    by_organ = describe(table[table["method"] == "A"], "dice", ["organ"]).set_index("organ")["mean"]
    assert by_organ["liver"] - by_organ["spleen"] == pytest.approx(0.1)
    pd.testing.assert_frame_equal(found, describe(table, "dice"))


def test_description_of_what_is_absent_missed_or_alone():
    table = scores({"A": 0.0}, measure="hd95")
    table.loc[table["organ"] == "spleen", "hd95"] = np.nan
    table.loc[table["case"] == "scan0", "hd95"] = np.inf
    row = describe(table[table["seed"] == 0], "hd95").iloc[0]
    assert row["mean"] == pytest.approx(0.6 + 0.05 * 3)  # livers of patients 1 to 5
    assert row[["patients", "seeds"]].tolist() == [5, 1] and np.isnan(row["sd"])
    alone = describe(table[table["case"].isin(["scan0", "scan1"])], "hd95").iloc[0]
    assert np.isfinite(alone["mean"]) and np.isnan(alone["low"]) and alone["patients"] == 1
    nothing = describe(table[table["case"] == "scan0"], "hd95").iloc[0]
    assert np.isnan(nothing["mean"]) and nothing["patients"] == 0 and nothing["missed"] == 4
    none = describe(table[table["seed"] == 5], "hd95")
    assert none.empty and "mean" in none


def test_ranking_of_clear_differences_is_always_the_same():
    table, tau, patients = rank_methods(scores({"B": 0.0, "A": 0.1, "C": -0.1}), "dice")
    assert table.index.tolist() == ["A", "B", "C"] and table["rank"].tolist() == [1, 2, 3]
    assert np.array_equal(table[[1, 2, 3]], np.eye(3)) and tau == pytest.approx(1) and patients == 6
    assert rank_methods(scores({"B": 0.0, "A": 0.1}, measure="assd"), "assd").table.index.tolist() == ["B", "A"]


def test_ranking_of_three_patients_of_whom_one_disagrees():
    """A resample keeps the ranking if at least two of its three patients are among the two that agree."""
    table, tau, _ = rank_methods(scores({"A": np.array([0.1, 0.1, -0.1]), "B": 0.0}, 3), "dice", resamples=20000)
    share = binom.sf(1, 3, 2 / 3)
    assert table.loc["A", [1, 2]].tolist() == pytest.approx([share, 1 - share], abs=0.015)
    assert tau == pytest.approx(2 * share - 1, abs=0.03)


def test_ranking_of_equals_and_of_nothing():
    table, tau, _ = rank_methods(scores({"A": 0.0, "B": 0.0}), "dice")
    assert table["rank"].tolist() == [1, 1] and table[1].tolist() == [1, 1] and np.isnan(tau)
    apart = pd.concat([scores({"A": 0.0}), scores({"B": 0.0}, modality="MRI")])
    table, tau, patients = rank_methods(apart, "dice")
    assert table["rank"].isna().all() and np.isnan(tau) and patients == 0


def test_a_method_that_missed_an_organ_ranks_last_by_distance():
    table = scores({"A": 0.0, "B": 0.1}, measure="hd95")
    table.loc[0, "hd95"] = np.inf
    assert rank_methods(table, "hd95").table["rank"].to_dict() == {"B": 1, "A": 2}


def test_bad_scores_are_refused():
    table = scores({"A": 0.0, "B": 0.1})
    with pytest.raises(ValueError, match=r"twice among the scores: .*'case': 'scan0'"):
        compare(pd.concat([table, table]), "dice", "A", "B")
    table.loc[0, "seed"] = np.nan
    with pytest.raises(ValueError, match="nameless"):
        describe(table, "dice")
    with pytest.raises(ValueError, match="volume_difference does not tell"):
        rank_methods(table.assign(volume_difference=0.0), "volume_difference")
