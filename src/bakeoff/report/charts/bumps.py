"""Does the winner change? Ranks of the models over whatever may change them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bakeoff.queries.tables import Column, Run
from bakeoff.report.charts.chart import Chart, ChartSection, Row, Spec
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.leaderboard import LISTS, metric_up
from bakeoff.report.charts.room import slanted
from bakeoff.report.charts.spec import (
    AT_METRIC,
    data,
    finish,
    metric_title,
    parameters,
    place_title,
    short,
    traces,
)
from bakeoff.report.figures.ranks import run_ranks, table_ranks

_CAPTION = "1 is the best; models with equal means share a rank. Lines that cross say that the order changes."


def sections(frame: Frame, rows: Sequence[Row]) -> list[ChartSection]:
    """One section; a chart for everything that there are two of. Rows are those of the leader board."""
    directed = [m for m, metric in frame.metrics.items() if metric.higher_is_better is not None]
    if len(frame.looks) < 2 or not directed:
        return []
    datasets = list(dict.fromkeys(p.dataset for p in frame.places))
    splits = Counter(p.dataset for p in frame.places)
    charts = []
    cut = [m for m in directed if frame.metrics[m].cutoff]
    if len(frame.ks) > 1 and cut:
        spec = _bump(frame, rows, "k", ("dataset", "split", "metric"), cut, metric_title(k=False))
        charts.append(Chart("ranks-k", "Over k", _CAPTION, spec))
    if len(directed) > 1:
        spec = _bump(frame, rows, "metric", ("dataset", "split", "k"), directed, place_title("k = ", k=True))
        charts.append(Chart("ranks-metrics", "Over metrics", _CAPTION, spec))
    if max(splits.values()) > 1:
        title = metric_title(place="dataset")
        spec = _bump(frame, rows, "split", ("dataset", "k", "metric"), directed, title)
        charts.append(Chart("ranks-splits", "Over splits", _CAPTION, spec))
    if len(datasets) > 1:
        title = metric_title(place="split")
        spec = _bump(frame, rows, "dataset", ("split", "k", "metric"), directed, title)
        charts.append(Chart("ranks-datasets", "Over data sets", _CAPTION, spec))
    charts += _runs(frame, directed)
    if not charts:
        return []
    return [ChartSection("ranks", "Does the winner change?", _text(frame), tuple(charts))]


def _text(frame: Frame) -> str:
    """Who is first how often, by what is shown first."""
    metric, k = frame.start.metric, frame.start.k if frame.metrics[frame.start.metric].cutoff else None
    if frame.metrics[metric].higher_is_better is None:
        return ""
    first: Counter[str] = Counter()
    n = 0
    for place in frame.places:
        ranks = table_ranks(place.table, Column(metric, k), metric_up(frame, metric)).tolist()
        known = [r for r in ranks if not math.isnan(r)]
        n += bool(known)
        first.update(m for m, r in zip(place.models, ranks, strict=True) if known and r == min(known))
    told = ", ".join(f"{model} in {times}" for model, times in first.most_common())
    name = metric if k is None else f"{metric}@{k}"
    return (
        f"By {name}, of {n} {'comparison' if n == 1 else 'comparisons'} of a data set and a split, first is: "
        f"{told}. Ranks are of means: two models may swap places though nothing tells them apart."
    )


def _bump(
    frame: Frame, rows: Sequence[Row], along: str, names: Sequence[str], metrics: Sequence[str], title: Any
) -> Spec:
    """Ranks of the leader board's rows along one of their fields; `names` choose the others."""
    import altair as alt

    wanted = {
        "dataset": "datum.dataset == dataset",
        "split": "datum.split == split",
        "metric": "datum.metric == shown",
        "k": "(datum.k === null || datum.k == k)",
    }
    base = (
        alt.Chart(data(rows))
        .transform_filter(" && ".join(wanted[n] for n in names if n != "k") or "true")
        .transform_flatten(list(LISTS))
        .transform_filter(wanted["k"] if "k" in names else "datum.k !== null")
    )
    orders: dict[str, list[Any]] = {
        "k": list(frame.ks),
        "metric": list(metrics),
        "split": list(dict.fromkeys(p.split for p in frame.places)),
        "dataset": list(dict.fromkeys(p.dataset for p in frame.places)),
    }
    if along == "metric":
        base = base.transform_filter("indexof(directed, datum.metric) >= 0")
    chart = _lines(frame, base, along, orders[along], "k, length of the list" if along == "k" else None)
    offered = [] if along == "metric" else metrics
    chart = chart.add_params(*parameters(frame, names, offered))
    if along == "metric":
        chart = chart.add_params(alt.param(name="directed", value=list(metrics)))
    return finish(chart.properties(title=title), rows, height=_height(frame))


def _lines(frame: Frame, base: Any, field: str, order: Sequence[Any], title: str | None) -> Any:
    import altair as alt

    x = alt.X(
        f"{field}:O",
        sort=list(order),
        scale=alt.Scale(type="point", padding=0.4),
        axis=alt.Axis(
            title=title,
            **({"labelAngle": 0} if field == "k" else slanted(len(order))),
            grid=True,
            gridDash=[1, 3],
            domain=False,
            ticks=False,
        ),
    )
    y = alt.Y(
        "rank:Q",
        scale=alt.Scale(reverse=True, nice=False, domain=[0.6, _most(frame) + 0.4]),
        axis=alt.Axis(
            title="rank",
            values=list(range(1, _most(frame) + 1)),
            format="d",
            grid=False,
            domain=False,
            ticks=False,
        ),
    )
    tips = [alt.Tooltip("model:N", title="model"), alt.Tooltip("rank:Q", title="rank")]
    lines, points, _ = traces(base, frame, x, y, width=2.5, size=110, tips=tips)
    return alt.layer(lines, points)


def _height(frame: Frame) -> int:
    return 28 * _most(frame) + 20


def _most(frame: Frame) -> int:
    """Models of the place that has most: no rank is larger."""
    return max(len({model for model, _ in place.rows}) for place in frame.places)


def _runs(frame: Frame, metrics: Sequence[str]) -> list[Chart]:
    """Ranks in each run alone, where a table has two or more."""
    import altair as alt

    places = [p for p in frame.places if len(p.table.runs) > 1]
    if not places:
        return []
    rows = [row for place in places for row in _run_rows(frame, place, metrics)]
    labels: dict[str, dict[str, list[str]]] = {}
    for place in places:
        labels.setdefault(place.dataset, {})[place.split] = _run_names(place.table.runs)
    there = "runs[dataset] && runs[dataset][split]"
    base = (
        alt.Chart(data(rows))
        .transform_filter("datum.dataset == dataset && datum.split == split && datum.metric == shown")
        .transform_flatten(["k", "at", "rank"])
        .transform_filter(AT_METRIC)
        .transform_calculate(run=f"({there}) ? runs[dataset][split][datum.at] : ''")
    )
    every = list(dict.fromkeys(n for by in labels.values() for names in by.values() for n in names))
    chart = _lines(frame, base, "run", every, None).properties(title=metric_title())
    start = frame.start._replace(dataset=places[0].dataset, split=places[0].split)
    if frame.start.split in labels.get(frame.start.dataset, {}):
        start = frame.start
    chart = chart.add_params(
        *parameters(frame, ("dataset", "split", "k", "metric"), metrics, start=start),
        alt.param(name="runs", value=labels),
    )
    caption = f"{_CAPTION} A model without chance has the same numbers under every seed."
    return [Chart("ranks-runs", "Over seeds and folds", caption, finish(chart, rows, height=_height(frame)))]


def _run_rows(frame: Frame, place: Place, metrics: Sequence[str]) -> list[Row]:
    found: dict[tuple[str, str], Row] = {}
    for column in (c for c in place.table.columns if c.metric in metrics):
        ranks = run_ranks(place.table, column, metric_up(frame, column.metric))
        for model, of_model in zip(place.models, ranks.tolist(), strict=True):
            names = {"dataset": place.dataset, "split": place.split, "model": model, "metric": column.metric}
            for at, rank in enumerate(of_model):
                if not math.isnan(rank):
                    row = found.setdefault((model, column.metric), {**names, "k": [], "at": [], "rank": []})
                    for name, number in (("k", column.k), ("at", at), ("rank", short(rank))):
                        row[name].append(number)
    return list(found.values())


def _run_names(runs: Sequence[Run]) -> list[str]:
    """What tells the runs apart."""
    parts = [
        (f"split {r.split_seed}", "" if r.fold is None else f"fold {r.fold}", f"seed {r.seed}") for r in runs
    ]
    told = [at for at in range(3) if len({p[at] for p in parts}) > 1]
    return [", ".join(p[at] for at in told) for p in parts]
