"""All charts together: what every specification must hold to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.charts import Chart, ChartSection, charts
from bakeoff.report.charts.vega import SCHEMA

NASTY = 'it\'s "a" [b].c\\d </script> & {e}'


def numbers(at: float) -> dict[str, Any]:
    return {
        "ndcg": {"5": (at, 0.01), "10": (at + 0.1, 0.01)},
        "gini": {"5": (0.9 - at, None), "10": (0.8 - at, None)},
        "mean_popularity": {"5": (50 * at, 1.0), "10": (40 * at, 1.0)},
        "auc": {"": (0.5 + at, 0.004)},
    }


@pytest.fixture(params=["by hand", "ran"])
def sections(request: Any, make: Any, metrics: Any) -> tuple[ChartSection, ...]:
    if request.param == "ran":
        return request.getfixturevalue("experiment").charts
    return by_hand(make, metrics)


def by_hand(make: Any, metrics: Any) -> tuple[ChartSection, ...]:
    results = [
        make(model, numbers(at), dataset=dataset, seed=seed)
        for dataset in ("plays", NASTY)
        for seed in (1, 2)
        for model, at in (("als", 0.3), (NASTY, 0.2), ("popularity", 0.1))
    ]
    return charts(comparison(results, [5, 10], metrics), metrics, None)


def every(sections: tuple[ChartSection, ...]) -> Iterator[Chart]:
    return (chart for section in sections for chart in section.charts)


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def test_every_chart_obeys_the_schema_and_is_plain_json(experiment: Any) -> None:
    import altair as alt

    assert SCHEMA == alt.SCHEMA_URL
    for chart in every(experiment.charts):
        assert json.loads(json.dumps(chart.spec, allow_nan=False)) == chart.spec
        alt.LayerChart.validate(chart.spec)


@pytest.mark.slow
def test_every_chart_compiles_without_a_warning(sections: Any, capfd: Any) -> None:
    import vl_convert

    for chart in every(sections):
        svg = vl_convert.vegalite_to_svg(chart.spec, vl_version="6.4")
        assert "<path" in svg, chart.id
        assert not re.search("NaN|undefined", svg), chart.id
    assert capfd.readouterr().err == ""


def test_nothing_is_fetched_and_nothing_is_themed(sections: Any) -> None:
    for chart in every(sections):
        assert "config" not in chart.spec
        assert "background" not in chart.spec
        assert not [value for key, value in walk(chart.spec) if key in ("url", "href")]


def test_names_from_the_data_are_values_and_never_fields_or_expressions(sections: Any) -> None:
    for chart in every(sections):
        drawn = {k: v for k, v in chart.spec.items() if k not in ("datasets", "params")}
        written = [{k: v for k, v in p.items() if k != "value"} for p in chart.spec["params"]]
        for key, value in walk([drawn, written]):
            assert NASTY not in key
            if key in ("field", "filter", "expr", "calculate", "as"):
                assert NASTY not in json.dumps(value), (chart.id, value)


def test_charts_of_the_same_numbers_name_the_same_data(experiment: Any) -> None:
    sections = {c.id: set(c.spec["datasets"]) for c in every(experiment.charts)}
    assert sections["leader-board"] == sections["curves"] == sections["ranks-k"] == sections["ranks-metrics"]
    assert sections["overlap-rbo"] != sections["overlap-jaccard"]


def test_ids_are_unique_and_fit_for_a_page(sections: Any) -> None:
    ids = [c.id for c in every(sections)] + [s.id for s in sections]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", i) for i in ids)


def test_the_same_results_give_the_same_charts(make: Any, metrics: Any) -> None:
    results = [make(m, numbers(a)) for m, a in (("als", 0.3), ("ease", 0.2))]
    tables = comparison(results, [5, 10], metrics)
    assert charts(tables, metrics, None) == charts(tables, metrics, None)


def test_a_report_with_its_store_has_every_chart(experiment: Any) -> None:
    sections = {section.id: [c.id for c in section.charts] for section in experiment.charts}
    assert sections["leaders"] == ["leader-board", "curves"]
    assert sections["tradeoffs"] == ["tradeoff"]
    assert sections["ranks"] == ["ranks-k", "ranks-metrics", "ranks-splits", "ranks-datasets", "ranks-runs"]
    assert sections["spread"] == ["distribution"]
    assert {"segments-history", "segments-items", "recommended"} < set(sections["segments"])
    assert sections["agreement"] == ["overlap-rbo", "overlap-jaccard"]


def test_without_the_store_the_text_says_what_is_left_out(experiment: Any) -> None:
    sections = {section.id: section for section in charts(experiment.tables, experiment.metrics, None)}
    for name in ("spread", "segments", "agreement"):
        assert sections[name].charts == ()
        assert "needs the store" in sections[name].text
    assert sections["leaders"].charts


def test_one_cell_without_its_lists_leaves_out_its_comparison_alone(experiment: Any, tmp_path: Any) -> None:
    import shutil

    from bakeoff.storage.store import Store

    shutil.copytree(experiment.store.root, tmp_path / "store")
    store = Store(tmp_path / "store")
    gone = next(r for r in experiment.results if r.request.cell.dataset["name"] == "blocks")
    (store.cell_folder(gone.request.key) / "items.npy").unlink()
    sections = {s.id: s for s in charts(experiment.tables, experiment.metrics, store)}
    assert (
        f"blocks, random is not shown: the store has no lists of cell {gone.request.key}."
        in sections["spread"].text
    )
    assert sections["spread"].charts


def test_the_same_store_gives_the_same_charts(experiment: Any) -> None:
    assert charts(experiment.tables, experiment.metrics, experiment.store) == experiment.charts


def test_results_without_a_number_have_no_charts(make: Any, metrics: Any) -> None:
    results = [make("als", status="failed", reason="it broke")]
    assert charts(comparison(results, [5], metrics), metrics, None) == ()


def test_metrics_of_the_whole_set_alone_have_the_charts_that_need_no_users(experiment: Any) -> None:
    results, metrics, store = experiment.results, experiment.metrics, experiment.store
    whole = {"catalog_coverage": metrics["catalog_coverage"]}
    sections = {s.id: s for s in charts(comparison(results, [2, 5], whole), whole, store)}
    assert [c.id for c in sections["leaders"].charts] == ["leader-board", "curves"]
    (rows,) = sections["leaders"].charts[0].spec["datasets"].values()
    assert {row["metric"] for row in rows} == {"catalog_coverage"}
    assert sections["spread"].charts == ()
    assert sections["spread"].text == "No metric of this report has a value for each user."
    assert sections["differences"].charts == ()
    assert "Nothing was tested: one number for the whole set of lists" in sections["differences"].text


def test_one_model_is_compared_with_nothing(experiment: Any) -> None:
    results, metrics, store = experiment.results, experiment.metrics, experiment.store
    alone = [r for r in results if r.request.cell.model["name"] == "by item"]
    sections = {s.id: s for s in charts(comparison(alone, [2], metrics), metrics, store)}
    assert sections["differences"].charts == ()
    assert "Nothing was tested: fewer than two models" in sections["differences"].text
    assert "ranks" not in sections
    assert sections["agreement"].charts == ()
