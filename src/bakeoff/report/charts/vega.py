"""From rows of numbers to a Vega-Lite specification.

A chart gives its rows, the encodings and the marks. Selection by data set, split, metric and k, headings,
legends, sizes and the digits of numbers are the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bakeoff.hashing import identity
from bakeoff.report.charts.frame import Frame
from bakeoff.report.view import NOTHING

Spec = dict[str, Any]
Row = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.4.1.json"

FIGURES = 4
"""Significant figures of the numbers in a chart; metrics.csv has them in full."""

BY = ("dataset", "split", "metric", "k")
"""What a chart can be chosen by, which are also the names of its parameters."""

EMPTY = 40
"""Pixels of a chart that has no row for the selection."""

PADDING = {"left": 5, "top": 5, "right": 15, "bottom": 5}
"""Pixels around a chart. The last label of an axis may reach beyond the width that was reserved for it."""

_SLANTED = 7
"""Up to this many names on a horizontal axis are slanted; more are upright, to fit on a phone."""

_NAME = {"expr": "max(140, 0.42 * (isFinite(containerSize()[0]) ? containerSize()[0] : 480))"}
"""Pixels of a name on the axis at the left at most."""


@dataclass(frozen=True)
class Chart:
    """A chart and the texts beside it.

    Args:
        id: letters, digits and hyphens, unique on a page.
        title: what it shows, plain text.
        caption: how to read it, plain text.
        spec: a whole Vega-Lite specification with inline data. Parameters named dataset, split, metric and k
            are those that a page may set; `picked` lists the models to highlight.
    """

    id: str
    title: str
    caption: str
    spec: Spec = field(repr=False)


@dataclass(frozen=True)
class ChartSection:
    """Charts that answer one question; `text` says what they show, or why there is none. Plain text."""

    id: str
    title: str
    text: str
    charts: tuple[Chart, ...] = ()


class RowHeight(NamedTuple):
    """The height of a chart with a band for each name: pixels of one, and data set -> split -> their number.

    Vega-Lite's own step sizes exclude a width that follows the container.
    """

    pixels: float
    counts: Mapping[str, Mapping[str, int]]


def row_height(pixels: float, rows: Iterable[Row], *fields: str) -> RowHeight:
    """Return the height for a band for each distinct value of some fields (the model, without any)."""
    values: dict[str, dict[str, set[Any]]] = {}
    for row in rows:
        value = tuple(row[f] for f in fields or ("model",))
        values.setdefault(row["dataset"], {}).setdefault(row["split"], set()).add(value)
    return RowHeight(pixels, {d: {s: len(v) for s, v in by.items()} for d, by in values.items()})


def short(number: float | None, figures: int = FIGURES) -> float | int | None:
    """Round to significant figures; None for what is not finite (JSON has no NaN).

    >>> short(0.123456), short(2.0), short(float("nan"))
    (0.1235, 2, None)
    """
    if number is None or not math.isfinite(number):
        return None
    rounded = float(f"{number:.{figures}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def listed(keys: Row, fields: Sequence[str], entries: Iterable[Sequence[Any]]) -> Row:
    """Return a row whose fields are lists, with one item for each entry.

    >>> listed({"model": "als"}, ("k", "mean"), [(5, 0.1), (10, 0.2)])
    {'model': 'als', 'k': [5, 10], 'mean': [0.1, 0.2]}
    """
    values = list(entries)
    return {**keys, **{name: [entry[at] for entry in values] for at, name in enumerate(fields)}}


# -- encodings ---------------------------------------------------------------------------------------


def numbers(field: str, channel: str, title: Any = None, axis: Spec | None = None, **scale: Any) -> Spec:
    """Return the encoding of a number on the axis of a channel, "x" or "y"."""
    ends = f"domain('{channel}')"
    label = f"{ends}[0] == {ends}[1] ? format(datum.value, '.4~r') : datum.label"  # not rounded
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": False, "nice": False, **scale},
        "axis": {"title": title, "tickCount": 5, "labelExpr": label, **(axis or {})},
    }


def names(field: str = "model", sort: Any = None, **axis: Any) -> Spec:
    """Return the encoding of names on an axis; what stands in brackets has a line of its own."""
    lines = {"labelExpr": "split(replace(datum.label, ' (', '\\n('), '\\n')", "labelLimit": _NAME}
    return {
        "field": field,
        "type": "nominal",
        "sort": sort,
        "axis": {"title": None, "domain": False, "ticks": False, **lines, **axis},
    }


def below(n: int) -> Spec:
    """Return the properties of a horizontal axis with n names."""
    angle = -40 if n <= _SLANTED else -90
    return {"labelAngle": angle, "labelLimit": 200, "labelExpr": "datum.label", "orient": "bottom"}


def least(field: str, order: str = "ascending") -> Spec:
    """Return the order of names by the least value of a field."""
    return {"op": "min", "field": field, "order": order}


def model_style(frame: Frame, *channels: str, legend: bool = False) -> Spec:
    """Return the encodings of a model's style: of `color`, `shape`, `strokeDash` or `stroke`."""
    styles = frame.styles.values()
    colours = [s.colour for s in styles]
    ranges = {"shape": [s.shape for s in styles], "strokeDash": [list(s.dash) for s in styles]}
    shown = {**names_below(frame.styles), "values": {"expr": "legend_models"}} if legend else None
    return {
        channel: {
            "field": "model",
            "type": "nominal",
            "scale": {"domain": list(frame.styles), "range": ranges.get(channel, colours)},
            "legend": shown,
        }
        for channel in channels
    }


def names_below(names: Iterable[str]) -> Spec:
    """Return a legend below the chart, in as many columns as whole names allow, three at most.

    >>> [names_below(n)["columns"] for n in (["als"], ["als (factors=8, tune=optuna)"])]
    [3, 1]
    """
    columns = max(1, min(3, 310 // (7 * max(map(len, names), default=0) + 26)))
    return {
        "orient": "bottom",
        "title": None,
        "columns": columns,
        "labelLimit": 0,
        "symbolSize": 90,
        "symbolStrokeWidth": 2,
        "symbolDash": [1, 0],
        "symbolOpacity": 1,
    }


def tooltip(*fields: Sequence[str], model: str = "model") -> list[Spec]:
    """Return a tooltip: the model, then fields as (field, title) or (field, title, number format)."""
    return [
        {"field": "model", "type": "nominal", "title": model},
        *(
            {"field": f, "type": "quantitative" if more else "nominal", "title": title}
            | ({"format": more[0]} if more else {})
            for f, title, *more in fields
        ),
    ]


def rounded(*fields: str, of: str = "mean", figures: int = FIGURES, sign: str = "") -> list[Spec]:
    """Return transforms that add `<field>_text` with the same number of decimals in every row.

    As in the tables, the largest value of the field `of` has so many significant figures.
    """
    digits = f"datum.size > 0 ? clamp({figures - 1} - floor(log(datum.size) / LN10 + 1e-9), 0, 9) : {figures}"
    text = f"isValid(datum.{{0}}) ? format(datum.{{0}}, '{sign}.' + datum.digits + 'f') : '{NOTHING}'"
    return [
        {"calculate": f"abs(datum.{of})", "as": "size"},
        {"joinaggregate": [{"op": "max", "field": "size", "as": "size"}]},
        {"calculate": digits, "as": "digits"},
        *({"calculate": text.format(f), "as": f"{f}_text"} for f in fields),
    ]


def span(channel: str) -> Spec:
    """Return the encoding of an interval along a channel, "x" or "y"."""
    return {channel: {"field": "low"}, f"{channel}2": {"field": "high"}}


INTERVAL = ("mean_text", "mean"), ("low_text", "interval from"), ("high_text", "interval to")
"""Fields of a tooltip, after `rounded("mean", "low", "high")`."""


# -- marks -----------------------------------------------------------------------------------------------


def mark(type_: str, encoding: Mapping[str, Any], *, where: str = "", **properties: Any) -> Spec:
    """Return a layer of marks; `where` filters its rows by an expression."""
    layer: Spec = {"mark": {"type": type_, **properties}, "encoding": dict(encoding)}
    return {**layer, "transform": [{"filter": where}]} if where else layer


def points(encoding: Mapping[str, Any], **properties: Any) -> Spec:
    """Return a layer of filled points."""
    return mark("point", encoding, **{"filled": True, "size": 90, "opacity": 1, **properties})


_IS_PICKED = "!length(picked) || indexof(picked, datum.model) >= 0"
PICKED: Spec = {"opacity": {"condition": {"test": _IS_PICKED, "value": 1}, "value": 0.12}}
"""The encoding that fades all models but those that were picked."""


def traces(
    frame: Frame, tips: Sequence[Spec], *, width: float | Spec = 2, size: float = 60, **line: Any
) -> list[Spec]:
    """Return a line and points for each model, with a legend."""
    dashes, shapes = (model_style(frame, channel, legend=True) for channel in ("strokeDash", "shape"))
    return [
        mark("line", {**dashes, **PICKED}, strokeWidth=width, **line),
        points({**shapes, **PICKED, "tooltip": list(tips)}, size=size),
    ]


def cells(
    frame: Frame, rows: Sequence[Row], colour: Spec, tips: Sequence[Spec], text: Spec, *, fits: str
) -> dict[str, Any]:
    """Return layers, axes and height of a map with a cell for each pair of models.

    Args:
        text: the encoding of the figure in a cell; it is hidden unless the expression `fits` holds.
    """
    order, n = list(frame.styles), len({row["model"] for row in rows})
    figures = mark("text", text, fontSize=10, opacity={"expr": f"{fits} ? 1 : 0"})
    return {
        "layers": [mark("rect", {"color": colour, "tooltip": list(tips)}, cornerRadius=2), figures],
        "encoding": {"x": names("other", order, **below(n)), "y": names("model", order)},
        "height": row_height(30, rows),
    }


# -- the whole -------------------------------------------------------------------------------------------


def specification(
    frame: Frame,
    rows: Sequence[Row],
    lists: Sequence[str],
    layers: Sequence[Spec],
    *,
    height: int | RowHeight,
    by: Sequence[str] = BY,
    metrics: Sequence[str] | None = None,
    heading: Sequence[str] = (),
    encoding: Mapping[str, Any] | None = None,
    transform: Sequence[Spec] = (),
    params: Mapping[str, Any] | None = None,
) -> Spec:
    """Return a whole specification: without a theme, as wide as its container, the same for the same data.

    Args:
        rows: values of the keys in `by`, and lists.
        lists: fields of the rows that are lists of one length; a mark stands for an item of them.
        layers: marks, see `mark`.
        by: what the rows are chosen by, some of BY.
        metrics: where `by` has "metric", those to choose from, by default all that the rows hold; the first
            is shown for any other choice.
        heading: expressions, each a line; without any, the metric with its direction.
        encoding: what all layers share.
        transform: after the choice of rows.
        params: more parameters, name -> value, or {"expr": ...}.
    """
    start = frame.start
    keys = [k for k in ("dataset", "split") if k in by]
    if not any(all(row[k] == getattr(start, k) for k in keys) for row in rows):
        start = start._replace(**{k: rows[0][k] for k in keys})
    values: dict[str, Any] = {name: getattr(start, name) for name in BY if name in by}
    if "metric" in by:
        offered = {row["metric"] for row in rows} if metrics is None else metrics
        first = sorted(offered, key=lambda m: (m != start.metric, list(frame.metrics).index(m)))
        values |= {
            "offered": first,
            "shown": {"expr": "indexof(offered, metric) < 0 ? offered[0] : metric"},
            "directions": {m: frame.direction(m) for m in first},
            "without_k": [m for m in first if not frame.metrics[m].cutoff],
        }
        with_k = "(indexof(without_k, shown) < 0 ? '@' + k : '')" if "k" in by else "''"
        heading = heading or (f"shown + {with_k} + ', ' + directions[shown]",)
    values |= params or {}
    written = f"{layers} {encoding}"
    values |= {"picked": []} if "picked" in written else {}
    values |= _legend_models(frame, rows, keys) if "legend_models" in written else {}
    if isinstance(height, RowHeight):
        values |= {
            "bands": {dataset: dict(by_split) for dataset, by_split in height.counts.items()},
            "drawn": {"expr": "bands[dataset] && bands[dataset][split] || 0"},
            "height": {"expr": f"drawn > 0 ? {height.pixels:g} * drawn : {EMPTY}"},
        }
        height = EMPTY
    choose = [f"datum.{k} == {k}" for k in keys] + ["datum.metric == shown"] * ("metric" in by)
    data = identity("rows", list(rows))  # a name made from the content: charts of the same rows share them
    return {
        "$schema": SCHEMA,
        "title": _title([*heading, " + ', ' + ".join(keys)]),
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding", "resize": True},
        "padding": PADDING,
        "view": {"stroke": None},
        "params": [{"name": name, **_value_or_expression(value)} for name, value in values.items()],
        "data": {"name": data},
        "transform": [
            *([{"filter": " && ".join(choose)}] if choose else []),
            {"flatten": list(lists)},
            *([{"filter": "datum.k === null || datum.k == k"}] if "k" in by else []),
            *transform,
        ],
        "encoding": dict(encoding or {}),
        "layer": list(layers),
        "datasets": {data: list(rows)},
    }


def _value_or_expression(value: Any) -> Spec:
    return value if isinstance(value, dict) and "expr" in value and len(value) == 1 else {"value": value}


def _title(lines: Sequence[str]) -> Spec:
    """Return a title of lines that are expressions, as wide as the container."""
    # It names the width so that it is evaluated again when that changes.
    width = "width > 0 && isFinite(containerSize()[0]) ? containerSize()[0] - 12 : 460"
    return {
        "text": {"expr": f"[{', '.join(lines)}]"},
        "anchor": "start",
        "offset": 10,
        "limit": {"expr": width},
        "fontSize": 12,
        "fontWeight": "normal",
        "lineHeight": 16,
    }


def _legend_models(frame: Frame, rows: Sequence[Row], keys: Sequence[str]) -> dict[str, Any]:
    """Return parameters: `legend_models` holds the models that the selection shows, or all if it is empty.

    Vega cannot lay out an empty legend.
    """
    models = list(frame.styles)
    by: dict[str, set[str]] = {}
    for row in rows:
        by.setdefault("\n".join(row[key] for key in keys), set()).add(row["model"])
    selected = " + '\\n' + ".join(keys) or "''"
    return {
        "models_by": {key: sorted(of_key, key=models.index) for key, of_key in by.items()},
        "all_models": models,
        "legend_models": {"expr": f"models_by[{selected}] || all_models"},
    }
