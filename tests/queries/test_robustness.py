"""The order of models in other settings."""

from __future__ import annotations

import numpy as np
import pytest

from bakeoff.evaluation.catalogue import shipped
from bakeoff.queries.comparison import comparison
from bakeoff.queries.robustness import Group, Setting, agreement, robustness

ORDER = np.arange(3)
MODELS = ("a", "b", "c")


def setting(name: str, values: np.ndarray) -> Setting:
    """Return a setting with these values by user, float64 [3, n]."""
    return Setting(name, values.mean(axis=1), (Group(np.arange(values.shape[1]), values),))


@pytest.mark.parametrize(
    ("means", "tau", "flips"),
    [
        ([3, 2, 1], 1.0, ()),
        ([2, 3, 1], 1 / 3, (("a", "b"),)),
        ([1, 2, 3], -1.0, (("a", "b"), ("a", "c"), ("b", "c"))),
        ([2, 2, 1], 2 / 3, ()),
    ],
)
def test_tau_counts_pairs_in_order_less_pairs_that_flip(means, tau, flips):
    base = Setting("ndcg@10", np.array([3.0, 2.0, 1.0]))
    result = agreement(base, Setting("map@10", np.array(means, dtype=float)), ORDER, MODELS, 0)
    assert result.tau == pytest.approx(tau) and result.flips == flips
    assert (result.low, result.high, result.clear) == (None, None, ())


def test_a_flip_is_clear_where_both_orders_hold_for_almost_all_resampled_users():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 400))
    base = setting("ndcg@10", noise + np.array([[2.0], [1.0], [0.0]]))
    clear = agreement(
        base, setting("map@10", noise[::-1] + np.array([[1.0], [2.0], [0.0]])), ORDER, MODELS, 0
    )
    assert clear.flips == clear.clear == (("a", "b"),)
    assert clear.low == clear.high == pytest.approx(1 / 3)
    close = setting("mrr@10", noise * 0.1 + np.array([[1.0], [1.003], [0.0]]))
    doubtful = agreement(base, close, ORDER, MODELS, 0)
    assert doubtful.flips == (("a", "b"),) and doubtful.clear == ()
    assert doubtful.low == pytest.approx(1 / 3) and doubtful.high == pytest.approx(1.0)


def test_the_interval_leaves_open_what_users_do_not_decide():
    values = np.random.default_rng(1).normal(size=(3, 30))
    base = setting("ndcg@10", values)
    result = agreement(base, setting("again", values), np.argsort(-base.means), MODELS, 0)
    assert (result.tau, result.low, result.high) == (1.0, -1.0, 1.0)


def test_seeds_splits_cutoffs_and_metrics_are_settings(make, store):
    def numbers(ndcg, at_5, recall):
        return {"ndcg": {"10": (ndcg, 0.01), "5": (at_5, 0.01)}, "recall": {"10": (recall, 0.01)}}

    results = [
        make("als", numbers(0.3, 0.3, 0.1), seed=1),
        make("als", numbers(0.1, 0.3, 0.1), seed=2),
        make("warp", numbers(0.15, 0.2, 0.2), seed=1),
        make("warp", numbers(0.15, 0.2, 0.2), seed=2),
        *(make("als", numbers(0.3, 0.3, 0.3), split="temporal", seed=s) for s in (1, 2)),
        *(make("warp", numbers(0.4, 0.3, 0.3), split="temporal", seed=s) for s in (1, 2)),
    ]
    metrics = {name: shipped()[name] for name in ("ndcg", "recall")}
    (result,) = robustness(comparison(results, [5, 10], metrics), metrics, store)
    taus = {a.setting: a.tau for a in result.agreements}
    seeds = {f"split seed 42, seed {seed}": tau for seed, tau in ((1, 1.0), (2, -1.0))}
    assert taus == {"ndcg@5": 1.0, "recall@10": -1.0, **seeds, "split temporal": -1.0}
    first, last = result.sentences
    assert first.startswith("als over warp holds in 2 of 5 settings beside ndcg@10; it flips under recall@10")
    assert last.startswith("1 of 1 pairs")


def test_one_model_has_no_order(make, store):
    metrics = {"ndcg": shipped()["ndcg"]}
    assert (
        robustness(comparison([make("als", {"ndcg": {"10": (0.1, 0.01)}})], [10], metrics), metrics, store)
        == []
    )
