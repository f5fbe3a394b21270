from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args
from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import Unsupported
from bakeoff.models.sar import SAR, Similarity
from numerics import assert_close
from toys import blocks

TRAIN = blocks()
USERS = np.arange(TRAIN.n_users, dtype=np.int32)
DAY = 86_400


def library_fit(monkeypatch: pytest.MonkeyPatch, train: Interactions, **parameters: Any) -> tuple[Any, Any]:
    """The library's own SAR, fitted, with its frame; NumPy 2 has no np.NaN, so it gets one back."""
    pd = pytest.importorskip("pandas")
    sar = pytest.importorskip("recommenders.models.sar", reason="recommenders is not installed")
    monkeypatch.setattr(np, "NaN", np.nan, raising=False)
    pairs = train.merged()
    frame = pd.DataFrame(
        {"userID": pairs.users, "itemID": pairs.items, "rating": pairs.values, "timestamp": pairs.times}
    )
    library = sar.SAR(**parameters)
    with np.errstate(all="ignore"):
        library.fit(frame)
    return library, frame


def crowded() -> Interactions:
    """Every two items have six users in common and more."""
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((24, 12)) < 0.75)
    values, times = rng.integers(1, 9, len(users)), rng.integers(0, 10**7, len(users))
    return Interactions.of(
        users.astype(np.int32),
        items.astype(np.int32),
        values.astype(np.float32),
        times.astype(np.int64),
        Ids.of(range(24)),
        Ids.of(range(12)),
    )


@pytest.mark.parametrize("similarity", [s for s in get_args(Similarity) if not s.startswith("lexico")])
@pytest.mark.parametrize("decays", [False, True])
@pytest.mark.parametrize("threshold", [1, 6])
def test_scores_and_lists_are_those_of_the_library(
    monkeypatch: pytest.MonkeyPatch, similarity: Any, decays: bool, threshold: int
) -> None:
    train = replace(TRAIN, times=TRAIN.times * 100)
    if similarity == "mutual information":  # of items that nobody has together the library has -inf
        train = crowded()
    library, frame = library_fit(
        monkeypatch,
        train,
        similarity_type=similarity,
        timedecay_formula=decays,
        time_decay_coefficient=20,
        threshold=threshold,
    )
    model = SAR(
        similarity_type=similarity,
        timedecay_formula=decays,
        time_decay_coefficient=20,
        threshold=threshold,
        weights="raw",
    )
    model.fit(train, seed=1)
    order = [library.item2index[i] for i in range(train.n_items)]
    expected = library.score(frame)[:, order]
    assert_close(model.scores(USERS, train.matrix()), expected, 1e-5)
    listed = library.recommend_k_items(frame, top_k=2, remove_seen=True)
    items, _ = model.recommend(USERS, train.matrix(), 3)
    unseen = np.where(train.matrix().toarray() == 0, expected, -1e9)
    best = -np.sort(-unseen, axis=1)[:, :3]
    clear = np.flatnonzero((np.diff(best, axis=1) < -1e-4).all(axis=1) & (best[:, 1] > -1e9))  # no ties
    for user in clear:
        assert items[user, :2].tolist() == listed.itemID[listed.userID == user].tolist()
    assert len(clear) or similarity == "cooccurrence"


def test_the_lexicographers_mutual_information_is_that_times_the_count() -> None:
    train, one_each = crowded(), sparse.identity(12, dtype=np.float32, format="csr")
    kinds: tuple[Similarity, ...] = (
        "cooccurrence",
        "mutual information",
        "lexicographers mutual information",
    )
    actual = []
    for similarity in kinds:
        model = SAR(similarity_type=similarity)
        model.fit(train, seed=1)
        actual.append(model.scores(USERS[:12], one_each))
    assert_close(actual[2], actual[0] * actual[1], 1e-5)


def pairs_of(rows: list[tuple[int, int, float, int]]) -> Interactions:
    users, items, values, times = (np.array(c) for c in zip(*rows, strict=True))
    return Interactions.of(
        users.astype(np.int32),
        items.astype(np.int32),
        values.astype(np.float32),
        times.astype(np.int64),
        Ids.of(range(4)),
        Ids.of(range(3)),
    )


# item 0: users 0, 1, 2; item 1: users 0, 1; item 2: user 2; user 3 has nothing
FEW = pairs_of(
    [(0, 0, 2, 0), (0, 1, 4, DAY), (1, 0, 1, DAY), (1, 1, 1, DAY), (2, 0, 3, 2 * DAY), (2, 2, 5, 0)]
)


def test_jaccard_is_what_two_items_share_of_all_who_have_either() -> None:
    model = SAR(weights="raw")
    model.fit(FEW, seed=1)
    # 0 and 1: 2 of 3 users, 0 and 2: 1 of 3, 1 and 2: none
    expected = [2 + 4 * 2 / 3, 2 * 2 / 3 + 4, 2 / 3]
    assert_close(model.scores(USERS[:1], FEW.matrix()[:1])[0], expected, 1e-6)


def test_pairs_below_the_threshold_are_not_similar() -> None:
    model = SAR(threshold=2)
    model.fit(FEW, seed=1)
    assert_close(model.scores(USERS[2:3], FEW.matrix()[2:3])[0], [1, 2 / 3, 0], 1e-6)


@pytest.mark.parametrize(("now", "share"), [(None, 0.25), (3 * DAY, 0.125), (0, 1.0)])
def test_an_affinity_halves_with_each_half_life(now: int | None, share: float) -> None:
    model = SAR(timedecay_formula=True, time_decay_coefficient=1, time_now=now, weights="raw")
    model.fit(FEW, seed=1)
    # user 2 had item 2, as nobody else, at time 0, and item 0, a third as similar, at the latest time
    of_item_0 = 3 * {None: 1.0, 3 * DAY: 0.5, 0: 1.0}[now]
    actual = model.scores(USERS[2:3], FEW.matrix()[2:3])[0, 2]
    assert_close(actual, 5 * share + of_item_0 / 3, 1e-6)


def test_a_user_unknown_to_train_is_served_from_the_history_as_it_is() -> None:
    plain, decayed = SAR(weights="raw"), SAR(weights="raw", timedecay_formula=True)
    history = FEW.matrix()[[0]]
    for model in (plain, decayed):
        model.fit(FEW, seed=1)
    np.testing.assert_array_equal(decayed.scores(USERS[3:4], history), plain.scores(USERS[3:4], history))


def test_decay_without_times_is_a_skip() -> None:
    with pytest.raises(Unsupported, match="needs timestamps"):
        SAR(timedecay_formula=True).fit(replace(FEW, times=None), seed=1)


def test_what_does_not_fit_in_memory_is_told_with_the_figure() -> None:
    class Little:
        available = 100

    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"SAR for up to 9 pairs of items needs [\d.]+ GB"),
    ):
        SAR().fit(FEW, seed=1)
