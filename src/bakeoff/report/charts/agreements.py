"""How alike the lists of two models are, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Chart, ChartSection
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.room import line_for_each, slanted
from bakeoff.report.charts.spec import AT_PLACE, data, finish, parameters, place_title, short
from bakeoff.report.charts.stored import Stored
from bakeoff.report.figures.agreement import Agreement, agreement

HEAT = ("#eaf1f8", "#6fa8d6", "#0b3f70")
"""From none to all, light to dark: the figures on them are black or white, whatever the theme of a page."""


def sections(frame: Frame, stored: Stored) -> list[ChartSection]:
    """One section with two heat maps; without the store its text alone."""
    found = [(place, fits[0], agreement(fits[0], frame.ks)) for place, fits in stored.places if fits]
    found = [f for f in found if len(f[2].rows) > 1]
    text = stored.text(
        "Models with the same accuracy may recommend different things. Compared are the lists of every user, "
        "of the first split and the first seed of each model. Where a model has a second seed, the diagonal "
        "tells how much it agrees with itself under that one; chance alone moves a list so far."
    )
    if not found:
        return [ChartSection("agreement", "Do they recommend the same?", text)]
    rbo = [row for place, _, one in found for row in _rows(place, one, [None])]
    jaccard = [row for place, _, one in found for row in _rows(place, one, one.ks)]
    charts = [
        Chart(
            "overlap-rbo",
            "Rank-biased overlap of lists",
            "1: the same items in the same order; 0: nothing in common. Places at the top weigh most "
            "(Webber et al. 2010, p = 0.9, extrapolated). Hover for a figure.",
            _heat(frame, rbo, ("dataset", "split"), place_title("rank-biased overlap, mean over users")),
        )
    ]
    if jaccard:
        title = place_title("Jaccard, mean over users, first k = ", k=True)
        charts.append(
            Chart(
                "overlap-jaccard",
                "Jaccard index of lists at k",
                "Items in both lists / items in either, whatever their order.",
                _heat(frame, jaccard, ("dataset", "split", "k"), title),
            )
        )
    return [ChartSection("agreement", "Do they recommend the same?", text, tuple(charts))]


def _rows(place: Place, one: Agreement, ks: Sequence[int | None]) -> list[dict[str, Any]]:
    """A row for each model and cutoff (None: rank-biased overlap), with lists over the other models."""
    names = [place.models[at] for at in one.rows]
    rows = []
    for at_k, k in enumerate(ks):
        matrix = one.rbo if k is None else one.jaccard[at_k]
        for i, model in enumerate(names):
            told = [j for j in range(len(names)) if j != i or one.again[i]]
            rows.append(
                {
                    "dataset": place.dataset,
                    "split": place.split,
                    "k": k,
                    "model": model,
                    "other": [names[j] for j in told],
                    "overlap": [short(matrix[i, j], 3) for j in told],
                }
            )
    return rows


def _heat(frame: Frame, rows: list[dict[str, Any]], names: Sequence[str], title: Any) -> Any:
    import altair as alt

    at_k = "(datum.k === null || datum.k == k)" if "k" in names else "true"
    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && {at_k}")
        .transform_flatten(["other", "overlap"])
    )
    order = list(frame.looks)
    small = alt.ExprRef("width < 30 * drawn ? 0 : 1")  # figures would run into each other
    x = alt.X(
        "other:N",
        sort=order,
        axis=alt.Axis(
            title=None,
            orient="bottom",
            domain=False,
            ticks=False,
            **slanted(len({row["model"] for row in rows})),
        ),
    )
    y = alt.Y("model:N", sort=order, axis=alt.Axis(title=None, labelLimit=130, domain=False, ticks=False))
    cells = base.mark_rect(cornerRadius=2).encode(
        x=x,
        y=y,
        color=alt.Color("overlap:Q", scale=alt.Scale(domain=[0, 0.5, 1], range=list(HEAT)), legend=None),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("other:N", title="and"),
            alt.Tooltip("overlap:Q", title="overlap", format=".3~r"),
        ],
    )
    dark = alt.condition("datum.overlap > 0.45", alt.value("white"), alt.value("#111111"))
    texts = base.mark_text(fontSize=11, opacity=small).encode(
        x=x, y=y, text=alt.Text("overlap:Q", format=".2f"), color=dark
    )
    chart = alt.layer(cells, texts, title=title).add_params(*parameters(frame, names))
    return finish(chart, rows, height=line_for_each(30, rows))
