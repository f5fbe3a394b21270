"""The leader board as points with intervals, and every metric as a curve over k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Chart, ChartSection, Row
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.room import figures, line_for_each
from bakeoff.report.charts.spec import (
    AT_METRIC,
    AT_PLACE,
    colour,
    data,
    finish,
    legend,
    metric_title,
    parameters,
    shape,
    short,
    traces,
)
from bakeoff.report.figures.intervals import interval
from bakeoff.report.figures.ranks import table_ranks

LISTS = ("k", "mean", "low", "high", "rank", "place")


def sections(frame: Frame, rows: Sequence[Row]) -> list[ChartSection]:
    """One section: the models in order, and whether the order holds for other cutoffs."""
    text = (
        "Each point is a mean over all fits of a model. Its line is the 95 % interval: over users, and over "
        "fits where there are several. Intervals that overlap do not say that two models are equal: the same "
        "users stand behind both, and the paired tests tell more."
    )
    return [ChartSection("leaders", "Who leads", text, (_board(frame, rows), *_curves(frame, rows)))]


def measured(frame: Frame) -> list[Row]:
    """A row for each place, model and metric, with lists over k: mean, ends of the interval, order."""
    return [
        row for place in frame.places for metric in frame.metrics for row in _measured(frame, place, metric)
    ]


def _measured(frame: Frame, place: Place, metric: str) -> list[Row]:
    columns = [c for c in place.table.columns if c.metric == metric]
    ranks = {c: table_ranks(place.table, c, metric_up(frame, metric)) for c in columns}
    orders = {c: _order(r.tolist()) for c, r in ranks.items()}
    found = []
    for at, (model, row) in enumerate(zip(place.models, place.table.rows, strict=True)):
        own = [c for c in columns if c in row.values]
        if not own:
            continue
        spans = [interval(row.values[c]) for c in own]
        lists = zip(
            *(
                (c.k, short(s.mean), short(s.low), short(s.high), short(ranks[c][at]), orders[c][at])
                for c, s in zip(own, spans, strict=True)
            ),
            strict=True,
        )
        found.append(
            {
                "dataset": place.dataset,
                "split": place.split,
                "model": model,
                "metric": metric,
                **{name: list(values) for name, values in zip(LISTS, lists, strict=True)},
            }
        )
    return found


def metric_up(frame: Frame, metric: str) -> bool:
    """Whether the largest value is ranked first: everywhere but where lower is better."""
    return frame.metrics[metric].higher_is_better is not False


def _order(ranks: Sequence[float]) -> list[int]:
    """Places from the top, one for each row: by rank, equal ones as they stand in the table, NaN last."""
    order = sorted(range(len(ranks)), key=lambda at: (ranks[at] != ranks[at], ranks[at], at))
    return [order.index(at) for at in range(len(ranks))]


def _base(frame: Frame, rows: Sequence[Row]) -> Any:
    import altair as alt

    return (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.metric == shown")
        .transform_flatten(list(LISTS))
    )


def tooltip(*more: tuple[str, str]) -> list[Any]:
    """Model, mean and interval, and more fields as (field with type, title)."""
    import altair as alt

    figures = [("mean:Q", "mean"), ("low:Q", "interval from"), ("high:Q", "interval to")]
    return [
        alt.Tooltip("model:N", title="model"),
        *(alt.Tooltip(field, title=title) for field, title in more),
        *(alt.Tooltip(field, title=title, format=".4~r") for field, title in figures),
    ]


def _board(frame: Frame, rows: Sequence[Row]) -> Chart:
    import altair as alt

    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("place", op="min", order="ascending"),
        scale=alt.Scale(paddingOuter=0.6),
        axis=alt.Axis(title=None, labelLimit=140, grid=True, gridDash=[1, 3], domain=False, ticks=False),
    )
    x = alt.X(
        "mean:Q",
        scale=alt.Scale(zero=False, nice=False, padding=26),
        axis=alt.Axis(title="mean and 95 % interval", tickCount=5, grid=False, labelExpr=figures("x")),
    )
    base = _base(frame, rows).transform_filter(AT_METRIC)
    lines = base.mark_rule(strokeWidth=3, opacity=0.5).encode(
        x=alt.X("low:Q"), x2="high:Q", y=y, color=colour(frame)
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, y=y, color=colour(frame), shape=shape(frame), tooltip=tooltip()
    )
    texts = base.mark_text(dy=-11, fontSize=11).encode(x=x, y=y, text=alt.Text("mean:Q", format=".3~r"))
    chart = alt.layer(lines, points, texts, title=metric_title())
    chart = chart.add_params(*parameters(frame, ("dataset", "split", "k", "metric"), list(frame.metrics)))
    caption = "Best on top. Hover a point for its figures."
    return Chart("leader-board", "Leader board", caption, finish(chart, rows, height=line_for_each(32, rows)))


def _curves(frame: Frame, rows: Sequence[Row]) -> list[Chart]:
    """No chart where there is one cutoff only."""
    import altair as alt

    ks = frame.ks
    if len(ks) < 2:
        return []
    cut = [m for m, metric in frame.metrics.items() if metric.cutoff]
    base = _base(frame, rows)
    x = alt.X(
        "k:Q",
        scale=alt.Scale(type="log" if ks[-1] > 20 * ks[0] else "linear", zero=False, nice=False, padding=12),
        axis=alt.Axis(title="k, length of the list", values=ks, grid=False, format="d"),
    )
    y = alt.Y(
        "mean:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=None, tickCount=6, labelExpr=figures("y"))
    )
    lines, points, seen = traces(base, frame, x, y, width=2, size=60, tips=tooltip(("k:Q", "k")))
    bars = base.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour(frame, legend=legend(frame.looks)), opacity=seen
    )
    chart = alt.layer(bars, lines, points, title=metric_title(k=False))
    chart = chart.add_params(*parameters(frame, ("dataset", "split", "metric"), cut))
    caption = "Bars are 95 % intervals. Choose a model in the legend to see it alone."
    return [Chart("curves", "Every metric over k", caption, finish(chart, rows, height=300))]
