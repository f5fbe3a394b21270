"""Two models at a time: which differences are significant, mean ranks over data sets, overlap of the lists.

Rank-biased overlap is RBO_EXT of Webber, Moffat and Zobel 2010, "A similarity measure for indefinite
rankings", TOIS 28(4): the overlap of two lists at every depth d, weighted by p^d, extrapolated beyond their
ends (equation 30, and 32 where they end at different depths).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.significance import MIN_DATA_SETS, CriticalDifference, TestConfig, critical_difference
from bakeoff.queries.comparison import Column
from bakeoff.queries.pairs import Pairwise, pairwise
from bakeoff.report.charts import vega
from bakeoff.report.charts.frame import Frame, SplitFits, TableView
from bakeoff.report.charts.vega import Chart, ChartSection, Row, short
from bakeoff.report.view import CORRECTIONS, TESTS

LISTS = ("k", "at", "difference", "low", "high", "p", "effect", "won", "lost")
RANK_LISTS = ("k", "rank", "reach", "p", "p_f", "wilcoxon")

WORSE, EQUAL, BETTER = "#c2590a", "#f4f4f4", "#1d6fb0"
NOT_SIGNIFICANT = "#d9d9d9"
EFFECT = 0.8
"""An effect of this size, which is called large, has the full colour."""

PERSISTENCE = 0.9
"""p: the first ten ranks have 86 % of the weight."""

HEAT = ("#eaf1f8", "#6fa8d6", "#0b3f70")
"""From 0 to 1. The figures on them are black or white, whatever the theme of a page."""

_BLOCK = 2**22
"""Numbers in the dense scratch of one block of users, which should fit in the cache."""


# -- differences -----------------------------------------------------------------------------------------


def differences(frame: Frame) -> list[ChartSection]:
    """Return one section; ranks over data sets need no store."""
    rows: list[Row] = []
    untested: dict[str, None] = {}
    config = TestConfig()
    for view in frame.stored:
        config = view.table.marks.test_config if view.table.marks else config
        assert frame.store is not None
        tested = pairwise(view.table, frame.metrics, frame.store, config, intervals=False)
        groups: dict[tuple[str, tuple[int, ...]], list[Pairwise]] = {}
        for one in tested.pairs.values():
            groups.setdefault((one.column.metric, one.rows), []).append(one)
        rows += [row for pairs in groups.values() for row in _difference_rows(frame, view, pairs)]
        untested |= dict.fromkeys(tested.untested.values())
    charts = [_map(frame, rows, config)] if rows else []
    ranks, why = _ranks(frame)
    words = (
        f"Every two models are compared by a {TESTS[config.test]}; several splits or fits are random effects "
        "beside the users. The p-values of all pairs of one metric at one k are corrected together "
        f"({CORRECTIONS[config.correction]}), which allows for a choice of the best on the same data."
    )
    text = frame.text(words if rows else f"Nothing was tested: {'; '.join(untested)}.")
    title = "Which differences are significant"
    return [ChartSection("differences", title, f"{text} {why}".strip(), (*charts, *ranks))]


def _difference_rows(frame: Frame, view: TableView, pairs: Sequence[Pairwise]) -> list[Row]:
    """Return a row for each model but the first, with lists over (cutoff, model before it)."""
    rows = []
    labels = [view.models[row] for row in pairs[0].rows]
    models = list(frame.styles)
    order = sorted(range(len(labels)), key=lambda at: models.index(labels[at]))
    for n, i in enumerate(order[1:], 1):
        entries = [
            (one.column.k, models.index(labels[j]), *_numbers(one, i, j)) for one in pairs for j in order[:n]
        ]
        rows.append(vega.listed(view.keys(labels[i], pairs[0].column.metric), LISTS, entries))
    return rows


def _numbers(one: Pairwise, i: int, j: int) -> tuple[Any, ...]:
    """Return the numbers of a pair, see LISTS. A positive effect is an improvement."""
    low, high = float(one.low[i, j]), float(one.high[i, j])
    sign = -1.0 if one.higher_is_better is False else 1.0
    effect = float(np.clip(sign * one.effect[i, j], -9.99, 9.99))
    return (
        short(one.difference[i, j], 3),
        short(low, 3),
        short(high, 3),
        float(f"{one.corrected[i, j]:.2g}"),
        round(effect, 2),
        int(one.wins[i, j]),
        int(one.wins[j, i]),
    )


def _map(frame: Frame, rows: list[Row], config: TestConfig) -> Chart:
    scale = {"domain": [-EFFECT, 0, EFFECT], "range": [WORSE, EQUAL, BETTER], "clamp": True}
    effect = {"field": "effect", "type": "quantitative", "scale": scale, "legend": None}
    significant = "datum.p <= level"
    white = {"condition": {"test": f"{significant} && abs(datum.effect) > 0.45", "value": "white"}}
    tips = vega.tooltip(
        *(("other", "less column"), ("difference_text", "difference"), ("low_text", "interval from")),
        *(("high_text", "interval to"), ("p", "corrected p", ".2~g")),
        *(("effect", "effect, better is +", "+.2f"), ("users", "users")),
        model="row",
    )
    drawn = vega.cells(
        frame,
        rows,
        {"condition": {"test": significant, **effect}, "value": NOT_SIGNIFICANT},
        tips,
        {"text": {"field": "difference_text"}, "color": {**white, "value": "#222222"}},
        fits="6.2 * length(datum.difference_text) <= width / drawn",
    )
    spec = vega.specification(
        frame,
        rows,
        LISTS,
        **drawn,
        transform=[
            {"calculate": "models[datum.at]", "as": "other"},
            {"calculate": "datum.won + ' better, ' + datum.lost + ' worse'", "as": "users"},
            *vega.rounded("difference", "low", "high", of="difference", figures=3, sign="+"),
        ],
        params={"level": config.level, "models": list(frame.styles)},
    )
    caption = (
        "Row minus column. Blue: the row is better, orange: the column is better, the darker the larger the "
        "difference relative to its deviation over users (Cohen's d). Grey: not significant "
        f"(corrected p above {config.level:.2g}). Point at or tap a cell for interval, p and users."
    )
    return Chart("pairs", "Differences of every two models", caption, spec)


def _ranks(frame: Frame) -> tuple[list[Chart], str]:
    """Return the chart of mean ranks over data sets, or the reason why there is none."""
    rows = [
        row
        for split in dict.fromkeys(v.split for v in frame.views)
        for metric, m in frame.metrics.items()
        if m.higher_is_better is not None
        for row in _rank_rows(frame, [v for v in frame.views if v.split == split], metric)
    ]
    if not rows:
        n = len({v.dataset for v in frame.views})
        return [], (
            f"Mean ranks need at least {MIN_DATA_SETS} data sets and three models; this report has {n} "
            f"data set{'s' * (n != 1)}."
        )
    style = vega.model_style(frame, "color")
    tips = vega.tooltip(
        *(("rank", "mean rank", ".2f"), ("n", "data sets", "d"), ("p", "Friedman's p, all alike", ".2~g")),
        *(("p_f", "Iman and Davenport's p", ".2~g"), ("wilcoxon", "Wilcoxon's p against the first", ".2~g")),
    )
    places = {"tickMinStep": 1, "tickCount": 6}
    title = ["mean rank over data sets,", "1 is best"]
    spec = vega.specification(
        frame,
        rows,
        RANK_LISTS,
        [
            vega.mark("rule", {"x2": {"field": "reach"}, **style}, strokeWidth=3, opacity=0.5),
            vega.points({**style, **vega.model_style(frame, "shape"), "tooltip": tips}),
        ],
        by=("split", "metric", "k"),
        encoding={
            "x": vega.numbers("rank", "x", title, places, padding=14),
            "y": vega.names(sort=vega.least("rank")),
        },
        height=26 * len({row["model"] for row in rows}),
    )
    caption = (
        "A model whose point lies within the line of another does not differ significantly from it "
        "(Nemenyi's critical difference, 95 %; Demsar 2006). Each data set counts once, whatever its size. "
        "Point at or tap a model for p of all alike, and of Wilcoxon's signed ranks against the first (Holm)."
    )
    return [Chart("mean-ranks", "Mean ranks over data sets", caption, spec)], ""


def _rank_rows(frame: Frame, views: Sequence[TableView], metric: str) -> list[Row]:
    """Return a row for each model that all data sets have, with lists over k."""
    entries: dict[str, list[tuple[Any, ...]]] = {}
    n = 0
    for column in (c for c in views[0].table.columns if c.metric == metric):
        models, ranks = ranks_over(views, column, frame.metrics[metric].higher_is_better is True)
        if ranks is None:
            continue
        n = ranks.n_data_sets
        against_first = ranks.wilcoxon[int(np.argmin(ranks.ranks))]
        for model, rank, p in zip(models, ranks.ranks.tolist(), against_first.tolist(), strict=True):
            places = (short(rank), short(rank + ranks.distance))
            entry = (column.k, *places, *(float(f"{value:.2g}") for value in (ranks.p, ranks.p_f, p)))
            entries.setdefault(model, []).append(entry)
    keys = {"split": views[0].split, "metric": metric, "n": n}
    return [
        vega.listed({**keys, "model": model}, RANK_LISTS, of_model) for model, of_model in entries.items()
    ]


def ranks_over(
    views: Sequence[TableView], column: Column, higher: bool
) -> tuple[list[str], CriticalDifference | None]:
    """Return the models that every table has a value of, and their ranks; None with too few of either."""
    if len(views) < MIN_DATA_SETS:
        return [], None  # checked here too: the statistics take seconds to import
    means = [{m: row.values[column].mean for m, row in v.rows if column in row.values} for v in views]
    models = [m for m in means[0] if all(m in of_view for of_view in means)]
    scores = np.array([[of_view[m] for m in models] for of_view in means])
    try:
        return models, critical_difference(scores if higher else -scores)
    except Unsupported:
        return models, None


# -- overlap of lists ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Overlap:
    """Means over the users of one split for n models, [n, n]; 1 on the diagonal unless `repeated`.

    Args:
        rows: positions of the models in the table's rows.
        rbo: float64 [n, n].
        jaccard: float64 [len(ks), n, n]: size of the intersection / of the union of the first k.
        repeated: models with a second cell on the split (another seed). Their diagonal compares the two.
    """

    rows: tuple[int, ...]
    rbo: Doubles
    jaccard: Doubles
    repeated: tuple[bool, ...]


def overlap(fits: SplitFits, ks: Sequence[int]) -> Overlap:
    """Compare the lists of every two models on one split, each by its first cell."""
    rows = tuple(at for at, keys in enumerate(fits.keys) if keys)
    first = [fits.items(fits.keys[at][0]) for at in rows]
    second = [fits.items(fits.keys[at][1]) if len(fits.keys[at]) > 1 else None for at in rows]
    n = len(rows)
    rbo, jaccard = np.ones((n, n)), np.ones((len(ks), n, n))
    for i in range(n):
        others = dict(zip(range(i + 1, n), first[i + 1 :], strict=True))
        own = second[i]
        if own is not None:
            others[i] = own
        pairs = list_overlap(first[i], list(others.values()), fits.split.train.n_items, ks)
        for j, (of_pair, common) in zip(others, pairs, strict=True):
            rbo[i, j] = rbo[j, i] = of_pair
            jaccard[:, i, j] = jaccard[:, j, i] = common
    return Overlap(rows, rbo, jaccard, tuple(s is not None for s in second))


def list_overlap(
    items: Codes, others: Sequence[Codes], n_items: int, ks: Sequence[int]
) -> Iterator[tuple[float, Doubles]]:
    """Yield the mean rank-biased overlap and the mean Jaccard index at each k of one model with each other.

    Args:
        items: int32 [m, D], -1 padded at the end; others likewise, to a depth of their own.
        n_items: I.
    """
    m = len(items)
    height = max(1, min(m, _BLOCK // (n_items + 1)))
    ranks = np.zeros(height * (n_items + 1), dtype=np.int16 if items.shape[1] < 2**15 else np.int32)
    rbos = np.zeros(len(others))
    jaccards = np.zeros((len(others), len(ks)))
    for start in range(0, m, height):
        block = items[start : start + height]
        # A pad, -1, points at the spare entry before a row, which is cleared again.
        rows = np.arange(len(block))[:, None] * (n_items + 1) + 1
        entries = rows + block
        ranks[entries] = np.arange(1, block.shape[1] + 1)
        ranks[rows - 1] = 0
        for at, other in enumerate(others):
            compared = other[start : start + height]
            rank = ranks[rows + compared]
            depths = np.where(rank > 0, np.maximum(rank, np.arange(1, compared.shape[1] + 1)), 0)
            ends = np.count_nonzero(block >= 0, axis=1), np.count_nonzero(compared >= 0, axis=1)
            rbos[at] += rbo_of(depths, *ends).sum()
            jaccards[at] += [jaccard_of(depths, *ends, k).sum() for k in ks]
        ranks[entries] = 0
    for rbo, jaccard in zip(rbos / max(m, 1), jaccards / max(m, 1), strict=True):
        yield float(rbo), jaccard


def rbo_of(depths: Array, first: Array, second: Array, p: float = PERSISTENCE) -> Doubles:
    """Return float64 [m]: RBO_EXT of pairs of lists. Two empty lists have 1, an empty and another 0.

    Args:
        depths: int [m, D]: the depth at which an item of one list is in both, 0 where it never is; in any
            order along a row.
        first, second: int64 [m], the lengths of the lists.
        p: persistence, above 0 and below 1.
    """
    short, long = np.minimum(first, second), np.maximum(first, second)
    result = np.zeros(len(depths))
    deepest = int(depths.max(initial=0))
    for s, l in np.unique(np.stack([short, long], axis=1), axis=0).tolist():  # noqa: E741 - the paper's names
        pairs = (short == s) & (long == l)
        weights, constant = _weights(s, l, deepest, p)
        result[pairs] = weights[depths[pairs]].sum(axis=1) + constant
    return result


def _weights(short: int, long: int, deepest: int, p: float) -> tuple[Doubles, float]:
    """Return what a common item adds to RBO_EXT by the depth from which it is in both lists, and a constant.

    With s and l the ends, X_d the number of common items to depth d:
    (1-p)/p (sum_{d<=l} X_d/d p^d + sum_{s<d<=l} X_s (d-s)/(s d) p^d) + ((X_l - X_s)/l + X_s/s) p^l.
    Every term is linear in X_d, so an item that is common from depth t on adds the terms with d >= t.
    """
    weights = np.zeros(max(deepest, long) + 1)
    if short == 0:
        return weights, float(long == 0)
    d = np.arange(1, long + 1)
    terms = (1 - p) / p * p**d / d
    weights[1 : long + 1] = np.cumsum(terms[::-1])[::-1] + p**long / long
    beyond = d[short:]
    of_short = (1 - p) / p * np.sum(p**beyond * (beyond - short) / (short * beyond))
    weights[1 : short + 1] += of_short + p**long * (1 / short - 1 / long)
    return weights, 0.0


def jaccard_of(depths: Array, first: Array, second: Array, k: int) -> Doubles:
    """Return float64 [m]: size of the intersection / of the union of the first k; 1 where both are empty."""
    common = np.count_nonzero((depths > 0) & (depths <= k), axis=1)
    union = np.minimum(first, k) + np.minimum(second, k) - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)


def agreement(frame: Frame) -> list[ChartSection]:
    """Return one section with two heat maps; without the store its text alone."""
    overlaps = [(view, overlap(view.fits[0], frame.ks)) for view in frame.stored]
    overlaps = [(view, one) for view, one in overlaps if len(one.rows) > 1]
    text = frame.text(
        "Models with the same accuracy may recommend different items. The lists of every user are compared, "
        "on the first split and with the first seed of each model. Where a model has a second seed, the "
        "diagonal compares it with itself under that seed: so far chance alone changes a list."
    )
    charts = []
    rows = [row for view, one in overlaps for row in _overlap_rows(view, one, [None], one.rbo[None])]
    if rows:
        caption = (
            "1: the same items in the same order; 0: no common item. The first ranks have the largest weight "
            "(Webber et al. 2010, p = 0.9, extrapolated). Point at or tap a cell for its figure."
        )
        spec = _heat(frame, rows, ("dataset", "split"), "'rank-biased overlap, mean over users'")
        charts.append(Chart("overlap-rbo", "Rank-biased overlap of lists", caption, spec))
    rows = [row for view, one in overlaps for row in _overlap_rows(view, one, frame.ks, one.jaccard)]
    if rows:
        caption = "Number of items in both lists / number of items in either, whatever their order."
        words = "'Jaccard index of the first k, mean over users, k = ' + k"
        spec = _heat(frame, rows, ("dataset", "split", "k"), words)
        charts.append(Chart("overlap-jaccard", "Jaccard index of lists at k", caption, spec))
    return [ChartSection("agreement", "Do they recommend the same?", text, tuple(charts))]


def _overlap_rows(view: TableView, one: Overlap, ks: Sequence[int | None], matrices: Doubles) -> list[Row]:
    """Return a row for each model and cutoff, with lists over the models that it is compared with."""
    labels = [view.models[at] for at in one.rows]
    rows = []
    for k, matrix in zip(ks, matrices, strict=True):
        for i, model in enumerate(labels):
            others = [j for j in range(len(labels)) if j != i or one.repeated[i]]
            values = {
                "other": [labels[j] for j in others],
                "overlap": [short(matrix[i, j], 3) for j in others],
            }
            rows.append({**view.keys(model), "k": k, **values})
    return rows


def _heat(frame: Frame, rows: Sequence[Row], by: Sequence[str], words: str) -> vega.Spec:
    scale = {"domain": [0, 0.5, 1], "range": list(HEAT)}
    white = {"condition": {"test": "datum.overlap > 0.45", "value": "white"}, "value": "#111111"}
    drawn = vega.cells(
        frame,
        rows,
        {"field": "overlap", "type": "quantitative", "scale": scale, "legend": None},
        vega.tooltip(("other", "and"), ("overlap", "overlap", ".3f")),
        {"text": {"field": "overlap", "type": "quantitative", "format": ".2f"}, "color": white},
        fits="width >= 30 * drawn",
    )
    return vega.specification(frame, rows, ("other", "overlap"), by=by, heading=(words,), **drawn)
