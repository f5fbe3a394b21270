"""What stands in a chart has room: heights follow what is chosen, names of a front keep apart."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.charts import Chart, charts
from bakeoff.report.charts.static import WIDTH
from bakeoff.report.charts.vega import row_height


def drawn(chart: Chart, width: int = WIDTH, **chosen: Any) -> str:
    import vl_convert

    params = [
        {**p, "value": chosen.get(p["name"], p.get("value"))} if "value" in p else p for p in params_of(chart)
    ]
    spec = {**chart.spec, "width": width, "params": params}
    spec.pop("autosize")
    return str(vl_convert.vegalite_to_svg(json.dumps(spec), vl_version="6.4"))


def params_of(chart: Chart) -> list[dict[str, Any]]:
    return list(chart.spec["params"])


def charts_by_id(results: Any, metrics: Any) -> dict[str, Chart]:
    tables = comparison(results, [10], metrics)
    return {c.id: c for section in charts(tables, metrics, None) for c in section.charts}


def front(make: Any, metrics: Any, points: dict[str, tuple[float, float]]) -> Chart:
    """Accuracy against popularity bias, where less is better."""
    results = [
        make(m, {"ndcg": {"10": (ndcg, 0.01)}, "mean_popularity": {"10": (bias, 0.1)}})
        for m, (ndcg, bias) in points.items()
    ]
    return charts_by_id(results, metrics)["tradeoff"]


def named(svg: str) -> list[str]:
    """The names inside the chart: those of the legend and of axes stand in groups of their own."""
    marks = re.findall(r'<g class="mark-text role-mark[^>]*>(.*?)</g>', svg, flags=re.DOTALL)
    return [text for group in marks for text in re.findall(r">([^<>]+)</text>", group) if text.strip()]


def test_a_name_on_the_front_is_left_out_only_where_it_would_lie_on_another(make: Any, metrics: Any) -> None:
    apart = {"first": (0.9, 90.0), "second": (0.5, 50.0), "third": (0.1, 10.0)}
    assert sorted(named(drawn(front(make, metrics, apart)))) == ["first", "second", "third"]
    near = {"first": (0.9, 90.0), "second": (0.8999, 89.9), "third": (0.1, 10.0)}
    assert sorted(named(drawn(front(make, metrics, near)))) == ["second", "third"]


def test_only_the_front_is_named(make: Any, metrics: Any) -> None:
    chart = front(make, metrics, {"good": (0.9, 10.0), "bad": (0.1, 90.0)})
    assert named(drawn(chart)) == ["good"]


@pytest.mark.parametrize("width", [200, WIDTH])
def test_a_name_at_the_edge_turns_inwards(make: Any, metrics: Any, width: int) -> None:
    svg = drawn(front(make, metrics, {"far to the left": (0.1, 10.0), "right": (0.9, 90.0)}), width)
    (group,) = re.findall(r'<g class="mark-text role-mark[^>]*>(.*?)</g>', svg, flags=re.DOTALL)
    assert re.findall(r'text-anchor="(\w+)"[^>]*>far to the left</text>', group) == ["start"]
    assert re.findall(r'text-anchor="(\w+)"[^>]*>right</text>', group) == ["end"]


def test_a_chart_is_as_high_as_the_models_of_the_chosen_place_need(make: Any, metrics: Any) -> None:
    few = [make(m, {"ndcg": {"10": (0.5, 0.01)}}, dataset="few") for m in "ab"]
    many = [make(m, {"ndcg": {"10": (0.5, 0.01)}}, dataset="many") for m in "abcdefg"]
    board = charts_by_id([*few, *many], metrics)["leader-board"]
    heights = {
        dataset: float(re.findall(r'height="(\d+)"', drawn(board, dataset=dataset))[0])
        for dataset in ("few", "many")
    }
    assert heights["many"] - heights["few"] == 5 * 32


def test_lines_are_counted_by_place() -> None:
    rows = [
        {"dataset": "d", "split": "s", "model": "a", "parameter": "x"},
        {"dataset": "d", "split": "s", "model": "a", "parameter": "y"},
        {"dataset": "d", "split": "t", "model": "b", "parameter": "x"},
    ]
    assert row_height(30, rows).counts == {"d": {"s": 1, "t": 1}}
    assert row_height(30, rows, "model", "parameter").counts == {"d": {"s": 2, "t": 1}}


def test_no_chart_as_wide_as_its_place_has_steps(experiment: Any) -> None:
    """Vega-Lite complains of both together, on the console of whoever reads the page."""
    for section in experiment.charts:
        for chart in section.charts:
            assert isinstance(chart.spec["height"], int), chart.id
