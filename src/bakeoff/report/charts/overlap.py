"""Do two models recommend the same? Rank-biased overlap and Jaccard index of their lists, as heat maps.

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
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.spec import (
    Chart,
    ChartSection,
    Row,
    Spec,
    below,
    mark,
    names,
    row_height,
    short,
    specification,
    tooltip,
)
from bakeoff.report.figures.store_access import SplitFits

PERSISTENCE = 0.9
"""p: the first ten ranks have 86 % of the weight."""

HEAT = ("#eaf1f8", "#6fa8d6", "#0b3f70")
"""From 0 to 1. The figures on them are black or white, whatever the theme of a page."""

_BLOCK = 2**22
"""Numbers in the dense scratch of one block of users, which should fit in the cache."""


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


# -- the charts ------------------------------------------------------------------------------------------


def sections(frame: Frame) -> list[ChartSection]:
    """Return one section with two heat maps; without the store its text alone."""
    overlaps = [(view, overlap(view.fits[0], frame.ks)) for view in frame.stored]
    overlaps = [(view, one) for view, one in overlaps if len(one.rows) > 1]
    text = frame.text(
        "Models with the same accuracy may recommend different items. The lists of every user are compared, "
        "on the first split and with the first seed of each model. Where a model has a second seed, the "
        "diagonal compares it with itself under that seed: so far chance alone changes a list."
    )
    charts = []
    rows = [row for view, one in overlaps for row in _rows(view, one, [None], one.rbo[None])]
    if rows:
        caption = (
            "1: the same items in the same order; 0: no common item. The first ranks have the largest weight "
            "(Webber et al. 2010, p = 0.9, extrapolated). Point at or tap a cell for its figure."
        )
        spec = _heat(frame, rows, ("dataset", "split"), "'rank-biased overlap, mean over users'")
        charts.append(Chart("overlap-rbo", "Rank-biased overlap of lists", caption, spec))
    rows = [row for view, one in overlaps for row in _rows(view, one, frame.ks, one.jaccard)]
    if rows:
        caption = "Number of items in both lists / number of items in either, whatever their order."
        words = "'Jaccard index of the first k, mean over users, k = ' + k"
        spec = _heat(frame, rows, ("dataset", "split", "k"), words)
        charts.append(Chart("overlap-jaccard", "Jaccard index of lists at k", caption, spec))
    return [ChartSection("agreement", "Do they recommend the same?", text, tuple(charts))]


def _rows(view: TableView, one: Overlap, ks: Sequence[int | None], matrices: Doubles) -> list[Row]:
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


def pair_axes(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Return the axes of a map with a cell for each pair of models."""
    order = list(frame.styles)
    n = len({row["model"] for row in rows})
    return {"x": names("other", order, **below(n)), "y": names("model", order, labelLimit=130)}


def _heat(frame: Frame, rows: Sequence[Row], by: Sequence[str], words: str) -> Spec:
    scale = {"domain": [0, 0.5, 1], "range": list(HEAT)}
    colour: dict[str, Any] = {"field": "overlap", "type": "quantitative", "scale": scale, "legend": None}
    text_colour = {"condition": {"test": "datum.overlap > 0.45", "value": "white"}, "value": "#111111"}
    fits = {"expr": "width < 30 * drawn ? 0 : 1"}  # narrower cells hide their figures, which would overlap
    tips = tooltip(("other", "and"), ("overlap", "overlap", ".3f"))
    return specification(
        frame,
        rows,
        ("other", "overlap"),
        [
            mark("rect", {"color": colour, "tooltip": tips}, cornerRadius=2),
            mark(
                "text",
                {"text": {"field": "overlap", "type": "quantitative", "format": ".2f"}, "color": text_colour},
                fontSize=11,
                opacity=fits,
            ),
        ],
        by=by,
        heading=(words,),
        encoding=pair_axes(frame, rows),
        height=row_height(30, rows),
    )
