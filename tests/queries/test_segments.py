"""Segments of users against loops over the users."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import toys
from bakeoff.data.interactions import Features
from bakeoff.evaluation.significance import Sample, TestConfig, holm
from bakeoff.queries.segments import FEWEST, segments
from bakeoff.splits.per_user import Random

RULES = TestConfig(resamples=300)


@pytest.fixture
def split():
    from dataclasses import replace

    rows = toys.blocks(80, 40, seed=3)
    parity = np.arange(80) % 2
    matrix = np.stack([parity == 0, parity == 1, np.arange(80) < 4], axis=1).astype(np.float32)
    features = Features(sparse.csr_matrix(matrix), ("country=UK", "country=FR", "club=rare"))
    return Random(ratio=0.7).split(replace(rows, user_features=features), 1)


def sample_of(split, gain):
    """Even users gain, odd ones lose."""
    rng = np.random.default_rng(0)
    base = rng.random(len(split.users))
    step = np.where(split.users % 2 == 0, gain, -0.05) + rng.normal(0, 0.01, len(base))
    return Sample(split.train.user_ids.values[split.users], np.stack([base + step, base])[None])


def test_the_segment_in_which_the_sign_flips_is_found(split) -> None:
    result = {s.name: s for s in segments(sample_of(split, 0.2), split, RULES)}
    assert not result["UK"].flips and result["FR"].flips
    assert result["FR"].high < 0 < result["UK"].low
    even = split.users % 2 == 0
    assert (result["UK"].n_users, result["UK"].larger) == (even.sum(), even.sum())
    assert result["FR"].smaller == (~even).sum()


def test_p_is_corrected_over_all_segments(split) -> None:
    from scipy import stats

    sample = sample_of(split, 0.2)
    result = segments(sample, split, RULES)
    difference = sample.values[0, 0] - sample.values[0, 1]
    lengths = np.diff(split.history.indptr)[split.users]
    p = []
    for s in result:
        if s.kind == "country":
            mask = split.users % 2 == (0 if s.name == "UK" else 1)
        else:
            assert s.kind == "history"
            low, _, high = s.name.replace(" or more", " to 999").partition(" to ")
            mask = (lengths >= int(low)) & (lengths <= int(high or low))
        assert s.n_users == mask.sum()
        assert s.difference == pytest.approx(difference[mask].mean())
        t = stats.ttest_rel(sample.values[0, 0, mask], sample.values[0, 1, mask]).pvalue
        p.append(max(t, 2.0 ** (1 - mask.sum())))  # all users of the segment differ
    assert [s.p for s in result] == pytest.approx(holm(np.array(p)).tolist(), rel=1e-9)


def test_groups_of_few_and_of_all_users_are_left_out(split) -> None:
    result = segments(sample_of(split, 0.2), split, RULES)
    assert all(FEWEST <= s.n_users < len(split.users) for s in result)
    assert "rare" not in {s.name for s in result} and "known" not in {s.kind for s in result}


def test_nothing_flips_where_all_gain_alike(split) -> None:
    base = np.random.default_rng(1).random(len(split.users))
    sample = Sample(split.users, np.stack([base + 0.1, base])[None])
    assert not any(s.flips for s in segments(sample, split, RULES))


def test_few_users_have_no_segments() -> None:
    split = Random(ratio=0.7).split(toys.blocks(8, 20), 1)
    values = np.random.default_rng(0).random((1, 2, len(split.users)))
    assert segments(Sample(split.users, values), split, RULES) == []


def test_segments_in_turns_are_the_same(split, monkeypatch) -> None:
    whole = segments(sample_of(split, 0.2), split, RULES)
    monkeypatch.setattr("bakeoff.queries.segments._AT_ONCE", 1)
    turns = segments(sample_of(split, 0.2), split, RULES)
    assert [s.name for s in turns] == [s.name for s in whole]
    for name in ("p", "low", "high"):
        assert [getattr(s, name) for s in turns] == pytest.approx([getattr(s, name) for s in whole])
