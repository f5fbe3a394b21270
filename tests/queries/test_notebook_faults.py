"""The procedure of a public notebook, rebuilt fault by fault: `audit` names each."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

PATH = Path(__file__).parents[2] / "bench" / "notebook_faults.py"

NAMED = {
    "honest": set(),
    "candidates are the observed pairs": {"observed_only"},
    "lists of train items": {"seen_items", "observed_only"},
    "candidates are the pairs of both parts": {"seen_items", "observed_only"},
    "factor rows looked up one off": {"seen_items", "shifted_ids"},
    "names through another coding": {"id_order"},
    "the line of MAP prints precision": {"not_of_these_lists"},
    "coverage over the items of test": {"above_maximum", "not_of_these_lists"},
}


@pytest.fixture(scope="module")
def rebuilt():
    """The checks that find each fault, on 80 users of whom a model ranks test items high."""
    spec = importlib.util.spec_from_file_location("notebook_faults", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(3)
    order = np.argsort(rng.random((80, 300)), axis=1)
    train, test = np.zeros((80, 300), dtype=np.float32), np.zeros((80, 300), dtype=np.float32)
    np.put_along_axis(train, order[:, :20], 1.0, axis=1)
    np.put_along_axis(test, order[:, 20:24] % 70, 1.0, axis=1)  # test holds few of the items
    test[train > 0] = 0.0
    scores = rng.random((80, 300)) + 0.5 * test
    parts = (sparse.csr_matrix(train), sparse.csr_matrix(test), scores)
    return {name: set(module.named(made)) for name, made in module.faults(*parts)}


@pytest.mark.parametrize("fault", NAMED)
def test_a_fault_of_the_notebook_is_named(fault, rebuilt):
    assert NAMED[fault] <= rebuilt[fault] and (rebuilt[fault] == set() or fault != "honest")


def test_no_fault_is_without_a_test(rebuilt):
    assert set(rebuilt) == set(NAMED)
