"""The views of groups: points with intervals, and shares of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bakeoff.queries.grouping import BAND_NAMES
from bakeoff.report.charts.chart import Row, Spec
from bakeoff.report.charts.frame import Frame
from bakeoff.report.charts.room import Lines, figures, line_for_each
from bakeoff.report.charts.spec import (
    AT_METRIC,
    AT_PLACE,
    colour,
    colour_scale,
    data,
    finish,
    legend,
    metric_title,
    parameters,
    place_title,
    shape,
)

Labels = dict[str, dict[str, list[str]]]
"""Data set -> split -> the names of its groups."""

BAND_COLOURS = ("#1d5c99", "#5a9fd4", "#b5cfe4", "#a3a3a3")

_LISTS = ("k", "at", "mean", "half", "best")


def by_group(frame: Frame, rows: Sequence[Row], labels: Labels, metrics: Sequence[str]) -> Spec:
    """Means of each group, a line for each model in it; rows have lists over (cutoff, group).

    Args:
        labels: names of the groups; a data set that has none is said to have none.
        metrics: those to choose from; none where there is recall alone.
    """
    import altair as alt

    of_metric = " && datum.metric == shown" if metrics else ""
    base = (
        alt.Chart(data(rows))
        .transform_filter(AT_PLACE + of_metric)
        .transform_flatten(list(_LISTS))
        .transform_filter(AT_METRIC if metrics else "datum.k == k")
        .transform_calculate(
            group="labels[dataset][split][datum.at]",
            low="datum.mean - datum.half",
            high="datum.mean + datum.half",
            turn="indexof(models, datum.model)",
            front="datum.best == 1 ? 'best of its group' : ''",
        )
    )
    names = ("dataset", "split", "k", *(("metric",) if metrics else ()))
    title = (
        metric_title()
        if metrics
        else place_title("recall of the items of a band, higher is better, k = ", k=True)
    )
    chart = _points(frame, base, labels).properties(title=_or_nothing(title))
    chart = chart.add_params(
        *parameters(frame, names, metrics, start=_start(frame, labels)),
        alt.param(name="labels", value=labels),
        alt.param(name="models", value=list(frame.looks)),
    )
    return finish(chart, rows, height=_lines(rows, labels))


def _lines(rows: Sequence[Row], labels: Labels) -> Lines:
    """A line for each model in each group, with a gap between groups; two at least."""
    models = line_for_each(11, rows)
    return replace(
        models,
        counts={
            d: {s: max(n, 2) * len(labels[d][s]) for s, n in by.items()} for d, by in models.counts.items()
        },
    )


def _points(frame: Frame, base: Any, labels: Labels) -> Any:
    import altair as alt

    y = alt.Y(
        "group:N",
        sort=alt.EncodingSortField("at", op="min"),
        scale=alt.Scale(paddingInner=0.2),
        axis=alt.Axis(title=None, labelLimit=150, domain=False, ticks=False, labelFontSize=11),
    )
    offset = alt.YOffset("model:N", sort=alt.EncodingSortField("turn", op="min"))
    x = alt.X(
        "mean:Q",
        scale=alt.Scale(zero=False, nice=False, padding=14),
        axis=alt.Axis(title=None, tickCount=5, labelExpr=figures("x")),
    )
    below = legend(frame.looks, [name for by in labels.values() for names in by.values() for name in names])
    hue, form = colour(frame, legend=below), shape(frame, legend=below)
    lines = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        x=alt.X("low:Q"), x2="high:Q", y=y, yOffset=offset, color=hue
    )
    points = base.mark_point(filled=True, size=48, strokeWidth=1.5, opacity=1).encode(
        x=x,
        y=y,
        yOffset=offset,
        color=hue,
        shape=form,
        stroke=alt.Stroke("model:N", scale=colour_scale(frame), legend=below),
        fillOpacity=alt.condition("datum.best == 1", alt.value(1), alt.value(0.12)),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("group:N", title="group"),
            *(
                alt.Tooltip(f"{field}:Q", title=title, format=".4~r")
                for field, title in (("mean", "mean"), ("low", "interval from"), ("high", "interval to"))
            ),
            alt.Tooltip("front:N", title="place"),
        ],
    )
    return alt.layer(lines, points)


def _or_nothing(title: Any) -> Any:
    """The title, or words where the data set or split has no such groups."""
    import altair as alt

    there = "labels[dataset] && labels[dataset][split]"
    said = f"({there}) ? {title.text.expr} : ['not told of ' + dataset + ', ' + split]"
    return alt.Title(text=alt.ExprRef(said), **{k: v for k, v in title.to_dict().items() if k != "text"})


def _start(frame: Frame, labels: Mapping[str, Mapping[str, Any]]) -> Any:
    """What every chart shows first, or the first place that has groups."""
    if frame.start.split in labels.get(frame.start.dataset, {}):
        return frame.start
    dataset = next(iter(labels))
    return frame.start._replace(dataset=dataset, split=next(iter(labels[dataset])))


def places_of_lists(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Bars of shares: a bar for each model, a part for each band."""
    import altair as alt

    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.k == k")
        .transform_flatten(["band", "share"])
    )
    bands = list(dict.fromkeys(b for r in rows for b in r["band"]))
    scale = alt.Scale(domain=bands, range=list(BAND_COLOURS[: len(bands)]))
    chart = base.mark_bar(height=16).encode(
        x=alt.X(
            "share:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(title="share of all places of the lists", format=".0%", tickCount=5),
        ),
        y=alt.Y(
            "model:N",
            sort=[*frame.looks, TEST],
            axis=alt.Axis(title=None, labelLimit=140, domain=False, ticks=False),
        ),
        color=alt.Color("band:N", scale=scale, sort=bands, legend=legend(bands, [*frame.looks, TEST])),
        order=alt.Order("at:Q"),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("band:N", title="band"),
            alt.Tooltip("share:Q", title="share", format=".1%"),
        ],
    )
    chart = chart.transform_calculate(at="indexof(bands, datum.band)")
    chart = chart.properties(title=place_title("places by popularity of the item, k = ", k=True))
    names = ("dataset", "split", "k")
    chart = chart.add_params(*parameters(frame, names), alt.param(name="bands", value=[*BAND_NAMES, *bands]))
    return finish(chart, rows, height=line_for_each(24, rows))


TEST = "test items"
"""The row that shows what there was to find."""
