from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from bakeoff.errors import Unsupported
from bakeoff.evaluation import rating
from evaluation.made_inputs import from_scores


def inputs(values, predicted):
    test = np.zeros((2, 4), dtype=bool)
    test.flat[: len(values)] = True
    predictions = None if predicted is None else np.array(predicted, dtype=np.float32)
    nothing = np.zeros_like(test)
    return from_scores(np.zeros((2, 4)), nothing, test, 2, values=values, predicted=predictions)


ORACLES = {
    "rmse": sklearn.metrics.root_mean_squared_error,
    "mae": sklearn.metrics.mean_absolute_error,
    "r2": sklearn.metrics.r2_score,
    "explained_variance": sklearn.metrics.explained_variance_score,
}


@pytest.mark.parametrize("name", ORACLES)
def test_an_error_is_that_of_scikit_learn_over_all_test_pairs(name):
    values, predicted = [5.0, 3.0, 1.0, 4.0, 2.0], [4.5, 3.25, 2.0, 4.0, 2.5]
    got = getattr(rating, name)(inputs(values, predicted))
    assert got.shape == (1,)
    assert got[0] == pytest.approx(ORACLES[name](values, predicted), abs=1e-12)


def test_errors_computed_by_hand():
    given = inputs([1.0, 3.0], [2.0, 3.0])
    assert [getattr(rating, n)(given)[0] for n in ORACLES] == pytest.approx([0.5**0.5, 0.5, 0.5, 0.75])


@pytest.mark.parametrize("name", ORACLES)
def test_a_model_that_predicts_no_values_has_no_rating_error(name):
    with pytest.raises(Unsupported, match="needs predicted values"):
        getattr(rating, name)(inputs([1.0, 2.0], None))


@pytest.mark.parametrize("name", ["r2", "explained_variance"])
def test_test_values_that_are_all_the_same_leave_nothing_to_explain(name):
    with pytest.raises(Unsupported, match="all test values are the same"):
        getattr(rating, name)(inputs([1.0, 1.0], [0.5, 1.0]))
