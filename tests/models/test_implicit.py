from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported
from bakeoff.models.fitting import limit_threads
from bakeoff.models.implicit import ALS, BPR, LMF
from numerics import assert_close
from toys import blocks

TRAIN = blocks()
USERS = np.arange(TRAIN.n_users, dtype=np.int32)


def library_fit(model: Any, matrix: Any, seed: int = 1, **more: Any) -> Any:
    """The library's own model with the same hyperparameters, fitted by hand."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.cpu.lmf import LogisticMatrixFactorization

    kinds = {ALS: AlternatingLeastSquares, BPR: BayesianPersonalizedRanking, LMF: LogisticMatrixFactorization}
    parameters = {k: v for k, v in asdict(model).items() if k not in ("weights", "dtype")}
    with limit_threads(1):
        library = kinds[type(model)](**parameters, random_state=seed, **more)
        library.fit(matrix, show_progress=False)
    return library


def valued(values: Any) -> Interactions:
    return replace(TRAIN, values=np.asarray(values, dtype=np.float32))


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda: ALS(factors=4), np.ones_like),
        (lambda: ALS(factors=4, alpha=3.0, use_cg=False), np.ones_like),
        (lambda: ALS(factors=4, weights="raw"), np.asarray),
        (lambda: ALS(factors=4, weights="log1p"), np.log1p),
        (lambda: BPR(factors=4, iterations=20), np.ones_like),
        (lambda: LMF(factors=4), np.ones_like),
        (lambda: LMF(factors=4, weights="raw"), np.asarray),
    ],
)
def test_factors_are_the_librarys_to_the_bit(make: Any, values: Any) -> None:
    model, matrix = make(), TRAIN.matrix()
    library = library_fit(model, sparse.csr_matrix((values(matrix.data), matrix.indices, matrix.indptr)))
    model.fit(TRAIN, seed=1)
    np.testing.assert_array_equal(model.user_factors, library.user_factors)
    np.testing.assert_array_equal(model.item_factors, library.item_factors)


@pytest.mark.parametrize(
    "model", [ALS(factors=4), BPR(factors=4, iterations=20), LMF(factors=4)], ids=["ALS", "BPR", "LMF"]
)
def test_lists_are_the_librarys_without_its_padding(model: Any) -> None:
    matrix = TRAIN.matrix()
    matrix.data[:] = 1
    model.fit(TRAIN, seed=1)
    items, scores = model.recommend(USERS, matrix, TRAIN.n_items)
    ids, values = library_fit(model, matrix).recommend(USERS, matrix, N=TRAIN.n_items)
    padding = values < -3e38
    assert (items == -1).sum() == padding.sum() > 0
    assert_close(scores[~padding], values[~padding], 1e-5)
    for user in USERS:  # scores that differ by rounding alone may stand in another order
        theirs_of = dict(zip(ids[user], values[user], strict=True))
        actual = [theirs_of[i] for i in items[user] if i >= 0]
        assert len(set(items[user])) == len(actual) + ((items[user] == -1).any())
        assert_close(actual, values[user][: len(actual)], 1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: ALS(factors=4, iterations=n),
        lambda n: BPR(factors=4, iterations=n),
        lambda n: LMF(iterations=n),
    ],
    ids=["ALS", "BPR", "LMF"],
)
def test_after_each_iteration_lists_are_those_of_a_fit_that_long(make: Any) -> None:
    model, between = make(4), {}

    def look(done: int, _loss: float | None) -> None:
        between[done] = model.recommend(USERS, TRAIN.matrix(), 5)

    model.fit(TRAIN, seed=3, on_epoch=look)
    assert list(between) == [1, 2, 3, 4]
    for done, lists in between.items():
        short = make(done)
        short.fit(TRAIN, seed=3)
        for lists_now, expected in zip(lists, short.recommend(USERS, TRAIN.matrix(), 5), strict=True):
            np.testing.assert_array_equal(lists_now, expected)


def test_what_on_epoch_raises_goes_through() -> None:
    def stop(done: int, _loss: float | None) -> None:
        if done == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        ALS(factors=4).fit(TRAIN, seed=1, on_epoch=stop)


@pytest.mark.parametrize("calculated", [True, False])
def test_als_tells_its_loss_by_iteration_where_it_is_asked_to(calculated: bool) -> None:
    losses: list[float | None] = []
    model = ALS(factors=4, iterations=6, use_cg=False, calculate_training_loss=calculated)
    model.fit(TRAIN, seed=1, on_epoch=lambda _, loss: losses.append(loss))
    if not calculated:
        assert losses == [None] * 6
        return
    falls = np.array(losses, dtype=np.float64)
    assert len(falls) == 6 and (np.diff(falls) <= 1e-7).all() and falls[-1] < falls[0]


def test_als_serves_a_new_user_with_the_exact_solution_for_the_history() -> None:
    train = TRAIN.take(TRAIN.users != 5)
    model = ALS(factors=4, alpha=3.0, regularization=0.5, weights="raw")
    model.fit(train, seed=1)
    history = TRAIN.matrix()[[5, 6]]
    actual = model.factors_of(np.array([5, 6], np.int32), history)
    y, confidence = model.item_factors.astype(np.float64), 3.0 * history[0].toarray().ravel()
    weights = np.where(confidence > 0, confidence, 1.0)
    expected = np.linalg.solve((y.T * weights) @ y + 0.5 * np.eye(4), y.T @ confidence)
    assert_close(actual[0], expected, 1e-5)
    np.testing.assert_array_equal(actual[1], model.user_factors[6])


def test_als_serves_a_new_user_in_mid_fit_from_the_factors_of_that_moment() -> None:
    train, new = TRAIN.take(TRAIN.users != 5), np.array([5], np.int32)
    history, between = TRAIN.matrix()[[5]], []
    model = ALS(factors=4, iterations=3)
    model.fit(train, seed=1, on_epoch=lambda *_: between.append(model.factors_of(new, history)))
    for iterations, actual in enumerate(between, 1):
        short = ALS(factors=4, iterations=iterations)
        short.fit(train, seed=1)
        np.testing.assert_array_equal(actual, short.factors_of(new, history))


def test_als_does_not_depend_on_its_threads() -> None:
    one, two = ALS(factors=4), ALS(factors=4, num_threads=2)
    one.fit(TRAIN, seed=1)
    two.fit(TRAIN, seed=1)
    np.testing.assert_array_equal(one.user_factors, two.user_factors)


def test_float64_crosses_over_in_float32() -> None:
    model = ALS(factors=4, dtype="float64")
    model.fit(TRAIN, seed=1)
    assert model.user_factors.dtype == model.item_factors.dtype == np.float32


def test_bpr_takes_every_pair_alike() -> None:
    plain, weighty = BPR(factors=4, iterations=5), BPR(factors=4, iterations=5)
    plain.fit(TRAIN, seed=1)
    weighty.fit(valued(TRAIN.values * 100 - 3), seed=1)
    np.testing.assert_array_equal(plain.item_factors, weighty.item_factors)


def test_only_the_threads_of_bpr_make_a_fit_unrepeatable() -> None:
    assert BPR().not_repeatable is None
    assert "num_threads > 1" in (BPR(num_threads=2).not_repeatable or "")
    assert not hasattr(ALS(), "not_repeatable") and not hasattr(LMF(), "not_repeatable")


def test_negative_values_are_dislikes_for_als_and_a_skip_elsewhere() -> None:
    train = valued(np.where(TRAIN.items == 3, -1.0, 1.0))
    ALS(factors=4, weights="raw").fit(train, seed=1)
    for model in (ALS(factors=4, weights="log1p"), LMF(weights="raw")):
        with pytest.raises(Unsupported, match=r"negative values \(the lowest is -1\); take weights=none"):
            model.fit(train, seed=1)


def test_factors_that_diverge_are_told_with_what_to_do() -> None:
    with pytest.raises(ModelError, match="BPR: the factors diverged; lower learning_rate"):
        BPR(factors=4, learning_rate=1e30).fit(TRAIN, seed=1)


def test_the_librarys_warning_of_blas_threads_has_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("implicit.utils._checked_blas_config", False)
    with limit_threads(2):
        ALS(factors=4, iterations=1).fit(TRAIN, seed=1)
