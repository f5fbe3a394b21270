from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bakeoff import config_files
from bakeoff.errors import ConfigError, Unsupported
from bakeoff.evaluation import beyond, ranking
from bakeoff.evaluation.catalogue import default_paths, metric_paths, resolve
from bakeoff.evaluation.measure import measure, per_user_table
from bakeoff.evaluation.metric import metric
from evaluation.made_inputs import at_random, toy


@metric(higher_is_better=None)
def list_length(inputs, ks):
    """How many items the first k places hold: a metric of one's own."""
    return np.stack([np.minimum(inputs.lists.lengths, k) for k in ks])


def test_means_and_standard_errors_are_over_users():
    measured = measure(toy(), {"precision": ranking.precision}, [3])
    values = np.array([2 / 3, 2 / 3, 0, 1 / 3, 0])
    assert measured.per_user["precision", 3] == pytest.approx(values)
    assert measured.means["precision", 3] == pytest.approx((1 / 3, values.std(ddof=1) / 5**0.5))
    assert measured.n_users == 5


def test_all_cutoffs_are_measured_together_as_they_are_alone():
    inputs, names = at_random(0), resolve(default_paths())
    together = measure(inputs, names, [5, 10, 20])
    for k in (5, 10, 20):
        alone = measure(at_random(0), names, [k])
        for key, value in alone.means.items():
            assert together.means[key] == pytest.approx(value, abs=1e-14), key


def test_a_metric_without_cutoff_is_measured_once():
    measured = measure(at_random(0), {"auc": ranking.auc}, [5, 10])
    assert list(measured.means) == [("auc", None)]


def test_a_metric_of_the_whole_set_of_lists_has_no_standard_error():
    measured = measure(at_random(0), {"gini": beyond.gini}, [5])
    assert measured.means["gini", 5][1] is None
    assert not measured.per_user


def test_a_metric_that_cannot_be_measured_is_absent_with_its_reason():
    inputs = at_random(0)
    inputs = replace(inputs, lists=replace(inputs.lists, above=None, ties=None))
    measured = measure(inputs, {"auc": ranking.auc, "recall": ranking.recall}, [5])
    assert measured.absent == {"auc": "needs the rank of every test item; the model gives lists only"}
    assert list(measured.means) == [("recall", 5)]


def test_a_cutoff_at_which_no_user_has_a_value_is_absent_alone():
    measured = measure(at_random(0), {"diversity": beyond.diversity}, [1, 5])
    assert measured.absent == {"diversity@1": "no user has a value"}
    assert list(measured.means) == [("diversity", 5)]


def test_users_without_a_value_are_not_in_the_mean():
    inputs = at_random(0, unserved=3)
    measured = measure(inputs, {"diversity": beyond.diversity}, [5])
    served = measured.per_user["diversity", 5][inputs.lists.lengths > 0]
    assert np.isnan(measured.per_user["diversity", 5]).sum() == 3
    expected = served.mean(), served.std(ddof=1) / len(served) ** 0.5
    assert measured.means["diversity", 5] == pytest.approx(expected)


def test_a_single_user_has_no_standard_error():
    assert measure(at_random(0, m=1, unserved=0), {"ndcg": ranking.ndcg}, [5]).means["ndcg", 5][1] is None


def test_the_table_of_users_has_a_column_for_each_metric_and_cutoff():
    measured = measure(
        at_random(0), {"recall": ranking.recall, "auc": ranking.auc, "gini": beyond.gini}, [5, 10]
    )
    columns, arrays = per_user_table(measured)
    assert columns == ["recall@5", "recall@10", "auc"]
    assert all(a.shape == (40,) and a.dtype == np.float64 for a in arrays)


@pytest.mark.parametrize(("k", "error"), [(0, ConfigError), (2.5, ConfigError), (21, Unsupported)])
def test_a_cutoff_must_be_a_whole_number_within_the_lists(k, error):
    with pytest.raises(error, match=f"k={k}"):
        measure(at_random(0), {}, [k])


def test_what_metrics_share_is_made_once():
    inputs, made = at_random(0), []
    for _ in range(2):
        inputs.once("name", lambda: made.append(1))
    assert made == [1]
    replace(inputs, predicted=None).once("name", lambda: made.append(2))
    assert made == [1, 2]


@metric(higher_is_better=True)
def of_one_user(inputs, ks):
    """Has values for one user only."""
    return np.zeros((len(ks), 1))


@metric(higher_is_better=True)
def breaks(inputs, ks):
    """Divides by zero."""
    return 1 / 0


def test_what_is_wrong_with_a_metric_of_ones_own_is_said_with_its_name_and_path():
    with pytest.raises(ConfigError, match=r"metrics\.alone: .*of_one_user .*\(2, 1\), expected \(2, 40\)"):
        measure(at_random(0), {"alone": of_one_user}, [5, 10])
    with pytest.raises(ConfigError, match=r"^metrics\.broken: .*breaks breaks: ZeroDivisionError"):
        measure(at_random(0), {"broken": breaks}, [5])


def test_two_users_have_a_standard_error():
    measured = measure(at_random(0, m=2, unserved=0), {"ndcg": ranking.ndcg}, [20])
    a, b = measured.per_user["ndcg", 20]
    assert a != b and measured.means["ndcg", 20][1] == pytest.approx(abs(a - b) / 2)


def test_a_metric_of_ones_own_is_found_by_its_import_path():
    path = f"{list_length.compute.__module__}.list_length"
    assert resolve({"length": path})["length"].higher_is_better is None


@pytest.mark.parametrize("name", config_files.options("metrics"))
def test_every_shipped_set_of_metrics_can_be_measured(name):
    measured = measure(at_random(0), resolve(metric_paths([name])), [2, 5])
    assert all(np.isfinite(mean) for mean, _ in measured.means.values())
