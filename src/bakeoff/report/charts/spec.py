"""From an Altair chart to a specification that stands alone: parameters, titles, sizes, figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from bakeoff.hashing import identity
from bakeoff.report.charts.chart import Row, Spec
from bakeoff.report.charts.frame import Frame, Start
from bakeoff.report.charts.room import EMPTY, PADDING, ROOM, SYMBOL, Lines, legend_columns

FIGURES = 4
"""Significant figures of the numbers in a chart; metrics.csv has them in full."""

AT_METRIC = "(datum.k === null || datum.k == k) && datum.metric == shown"
AT_PLACE = "datum.dataset == dataset && datum.split == split"

_METRIC = "shown + (indexof(whole, shown) < 0 ? '@' + k : '') + ', ' + about[shown]"
_PLACE = "dataset + ', ' + split"


def short(number: float | None, figures: int = FIGURES) -> float | int | None:
    """A number with few figures, None where there is none (JSON knows no NaN).

    >>> short(0.123456), short(2.0), short(float("nan"))
    (0.1235, 2, None)
    """
    if number is None or not math.isfinite(number):
        return None
    rounded = float(f"{number:.{figures}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def data(rows: Sequence[Row]) -> Any:
    """A reference to rows, which `finish` puts in: names from the data are values in them, never fields.

    It is named by its content, so that specifications with the same rows can share them.
    """
    import altair as alt

    return alt.NamedData(name=data_name(rows))


def data_name(rows: Sequence[Row]) -> str:
    """A letter and hex digits, the same for the same rows."""
    return identity("rows", list(rows))


def parameters(
    frame: Frame, names: Iterable[str], offered: Sequence[str] = (), *, start: Start | None = None
) -> list[Any]:
    """The parameters that a page may set, with what they are at first.

    Args:
        names: some of dataset, split, k, metric.
        offered: the metrics that the chart knows; any other choice shows the first.
        start: where the chart does not begin with what all others do.
    """
    import altair as alt

    found = [alt.param(name=name, value=getattr(start or frame.start, name)) for name in names]
    if offered:
        first = sorted(offered, key=lambda m: (m != frame.start.metric, list(frame.metrics).index(m)))
        found += [
            alt.param(name="offered", value=first),
            alt.param(name="shown", expr="indexof(offered, metric) < 0 ? offered[0] : metric"),
            alt.param(name="about", value={m: frame.direction(m) for m in first}),
            alt.param(name="whole", value=[m for m in first if not frame.metrics[m].cutoff]),
        ]
    return found


def metric_title(*, k: bool = True, place: str = _PLACE) -> Any:
    """A title that says which metric is shown, which end is better, and where (an expression)."""
    return _title(_METRIC if k else "shown + ', ' + about[shown]", place)


def place_title(words: str, *, k: bool = False, place: str = _PLACE) -> Any:
    """A title of some words of ours, followed by k where it is asked for, that says where."""
    return _title(f"'{words}'" + (" + k" if k else ""), place)


def _title(*lines: str) -> Any:
    """Lines are expressions; the schema of a title has them in its text alone."""
    import altair as alt

    text = alt.ExprRef(f"[{', '.join(lines)}]")
    look: dict[str, Any] = {"fontSize": 12, "fontWeight": "normal", "lineHeight": 16}
    return alt.Title(text=text, anchor="start", offset=10, limit=alt.ExprRef(ROOM), **look)


def colour(frame: Frame, *, legend: Any = None) -> Any:
    """The colour of a model, the same in every chart. Layers of one chart need the same legend."""
    import altair as alt

    return alt.Color("model:N", scale=colour_scale(frame), legend=legend, title="model")


def colour_scale(frame: Frame) -> Any:
    """The colours of all models of the report."""
    import altair as alt

    return alt.Scale(domain=list(frame.looks), range=[look.colour for look in frame.looks.values()])


def shape(frame: Frame, *, legend: Any = None) -> Any:
    """The shape of a model, the same in every chart."""
    import altair as alt

    scale = alt.Scale(domain=list(frame.looks), range=[look.shape for look in frame.looks.values()])
    return alt.Shape("model:N", scale=scale, legend=legend, title="model")


def dash(frame: Frame, *, legend: Any = None) -> Any:
    """The dash pattern of a model's lines."""
    import altair as alt

    scale = alt.Scale(domain=list(frame.looks), range=[list(look.dash) for look in frame.looks.values()])
    return alt.StrokeDash("model:N", scale=scale, legend=legend, title="model")


def traces(
    base: Any, frame: Frame, x: Any, y: Any, *, width: float, size: float, tips: Sequence[Any]
) -> tuple[Any, Any, Any]:
    """A line with points for each model, and the opacity by which one picked in the legend stands alone."""
    import altair as alt

    picked = alt.selection_point(name="picked", fields=["model"], bind="legend")
    seen = alt.when(picked).then(alt.value(1.0)).otherwise(alt.value(0.12))
    below = legend(frame.looks)
    hue, form = colour(frame, legend=below), shape(frame, legend=below)
    lines = base.mark_line(strokeWidth=width).encode(
        x=x, y=y, color=hue, strokeDash=dash(frame, legend=below), opacity=seen
    )
    points = (
        base.mark_point(filled=True, size=size)
        .encode(x=x, y=y, color=hue, shape=form, opacity=seen, tooltip=list(tips))
        .add_params(picked)
        .properties(name="points")
    )
    return lines, points, seen


def legend(names: Iterable[str], beside: Iterable[str] = ()) -> Any:
    """A legend below the chart, in as many columns as a phone has room for: it starts where the axis does.

    The number does not depend on the width, or it would change the height after that has been laid out.

    Args:
        beside: names on the axis at the left; none where numbers stand there.
    """
    import altair as alt

    columns = legend_columns(names, beside)
    return alt.Legend(
        orient="bottom",
        title=None,
        columns=columns,
        labelLimit=alt.ExprRef(f"(width + 10) / {columns} - {SYMBOL}"),
        symbolSize=90,
        symbolStrokeWidth=2,
        symbolDash=[1, 0],
        symbolOpacity=1,
    )


def finish(chart: Any, *tables: Sequence[Row], height: int | Lines) -> Spec:
    """The specification of a chart: as wide as its place, of no theme, the same for the same data.

    Altair gets the rows by name only: it would copy and check every number several times.
    """
    sizes: dict[str, Any] = {
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding", "resize": True},
    }
    if isinstance(height, Lines):
        chart = chart.add_params(*height.parameters())
        height = EMPTY
    sizes["height"] = height
    found: Spec = chart.properties(**sizes).to_dict(validate=False)
    found.pop("config", None)  # what Altair's default theme sets; the page brings its own
    found["view"] = {"stroke": None}
    found["padding"] = PADDING
    found["datasets"] = {data_name(rows): list(rows) for rows in tables}
    return found
