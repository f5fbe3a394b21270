"""Which differences are significant: every pair of models, and mean ranks over data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bakeoff.errors import Unsupported
from bakeoff.evaluation.significance import MIN_DATA_SETS, CriticalDifference, TestConfig, critical_difference
from bakeoff.queries.pairs import Pairwise, pairwise
from bakeoff.queries.tables import Column
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.overlap import pair_axes
from bakeoff.report.charts.spec import (
    Chart,
    ChartSection,
    Row,
    Spec,
    least,
    listed,
    mark,
    model_style,
    names,
    numbers,
    points,
    rounded,
    row_height,
    short,
    specification,
    tooltip,
)
from bakeoff.report.wording import CORRECTIONS, TESTS

LISTS = ("k", "at", "difference", "low", "high", "p", "effect", "won", "lost")
RANK_LISTS = ("k", "rank", "reach", "p")

WORSE, EQUAL, BETTER = "#c2590a", "#f4f4f4", "#1d6fb0"
NOT_SIGNIFICANT = "#d9d9d9"
EFFECT = 0.8
"""An effect of this size, which is called large, has the full colour."""


def sections(frame: Frame) -> list[ChartSection]:
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
        rows += [row for pairs in groups.values() for row in _rows(frame, view, pairs)]
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


def _rows(frame: Frame, view: TableView, pairs: Sequence[Pairwise]) -> list[Row]:
    """Return a row for each model but the first, with lists over (cutoff, model before it)."""
    rows = []
    labels = [view.models[row] for row in pairs[0].rows]
    models = list(frame.styles)
    order = sorted(range(len(labels)), key=lambda at: models.index(labels[at]))
    for n, i in enumerate(order[1:], 1):
        entries = [
            (one.column.k, models.index(labels[j]), *_numbers(one, i, j)) for one in pairs for j in order[:n]
        ]
        rows.append(listed(view.keys(labels[i], pairs[0].column.metric), LISTS, entries))
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
    effect: Spec = {"field": "effect", "type": "quantitative", "scale": scale, "legend": None}
    significant = "datum.p <= level"
    colour = {"condition": {"test": significant, **effect}, "value": NOT_SIGNIFICANT}
    white = {"condition": {"test": f"{significant} && abs(datum.effect) > 0.45", "value": "white"}}
    tips = tooltip(
        *(("other", "less column"), ("difference_text", "difference"), ("low_text", "interval from")),
        *(("high_text", "interval to"), ("p", "corrected p", ".2~g")),
        *(("effect", "effect, better is +", "+.2f"), ("users", "users")),
        model="row",
    )
    fits = "6.2 * length(datum.difference_text) > width / drawn ? 0 : 1"  # or figures would overlap
    spec = specification(
        frame,
        rows,
        LISTS,
        [
            mark(
                "rect",
                {"color": colour, "tooltip": tips},
                cornerRadius=2,
            ),
            mark(
                "text",
                {"text": {"field": "difference_text"}, "color": {**white, "value": "#222222"}},
                fontSize=10,
                opacity={"expr": fits},
            ),
        ],
        metrics=[m for m in frame.metrics if any(r["metric"] == m for r in rows)],
        encoding=pair_axes(frame, rows),
        transform=[
            {"calculate": "models[datum.at]", "as": "other"},
            {"calculate": "datum.won + ' better, ' + datum.lost + ' worse'", "as": "users"},
            *rounded("difference", "low", "high", of="difference", figures=3, sign="+"),
        ],
        params={"level": config.level, "models": list(frame.styles)},
        height=row_height(30, rows),
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
    style = model_style(frame, "color")
    tips = tooltip(
        *(("rank", "mean rank", ".2f"), ("n", "data sets", "d"), ("p", "Friedman's p, all alike", ".2~g"))
    )
    spec = specification(
        frame,
        rows,
        RANK_LISTS,
        [
            mark("rule", {"x2": {"field": "reach"}, **style}, strokeWidth=3, opacity=0.5),
            points({**style, **model_style(frame, "shape"), "tooltip": tips}),
        ],
        by=("split", "metric", "k"),
        metrics=[m for m in frame.metrics if any(r["metric"] == m for r in rows)],
        encoding={
            "x": numbers(
                *(
                    "rank",
                    "x",
                    ["mean rank over data sets,", "1 is best"],
                    {"tickMinStep": 1, "tickCount": 6},
                ),
                padding=14,
            ),
            "y": names(sort=least("rank")),
        },
        height=26 * len({row["model"] for row in rows}),
    )
    caption = (
        "A model whose point lies within the line of another does not differ significantly from it "
        "(Nemenyi's critical difference, 95 %; Demsar 2006). Each data set counts once, whatever its size."
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
        for model, rank in zip(models, ranks.ranks.tolist(), strict=True):
            entry = (column.k, short(rank), short(rank + ranks.distance), float(f"{ranks.p:.2g}"))
            entries.setdefault(model, []).append(entry)
    keys = {"split": views[0].split, "metric": metric, "n": n}
    return [listed({**keys, "model": model}, RANK_LISTS, of_model) for model, of_model in entries.items()]


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
