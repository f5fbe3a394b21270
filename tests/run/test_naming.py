"""Labels of rows: distinct, on one line, and read back whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell
from bakeoff.run.naming import (
    cell_label,
    dataset_split_label,
    label,
    matches,
    model_names,
    no_match,
    one_row,
    quoted,
    row_labels,
    split_list,
)
from bakeoff.storage.record import CellRequest

VALUES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["[1; 2]", "a,b", "x=1", "(", ") b", "tune=optuna", "é ü", "\n", "‮", "[a, b"]),
)
VARIANTS = st.dictionaries(st.sampled_from(["factors", "alpha", "K"]), VALUES, max_size=3).map(
    lambda parameters: ",".join(f"{k}={v}" for k, v in sorted(parameters.items()))
)
TUNINGS = st.sampled_from([None, {"name": "optuna", "trials": 3}])
ROWS = st.lists(
    st.tuples(st.sampled_from(["als", "ease", "my model (v2)"]), VARIANTS, TUNINGS),
    min_size=1,
    max_size=5,
    unique_by=str,
)


def request(name: str, variant: str = "", tune: object = None, key: str = "", **more: object) -> CellRequest:
    cell = Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
        model={"name": name, "build": {"_target_": "toys.Model", **more.pop("build", {})}},  # type: ignore[dict-item]
        variant=variant,
        tune=tune,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )
    return CellRequest(key or f"k{abs(hash((name, variant, str(tune), str(more))))}", cell)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("als",), "als"),
        (("als", "factors=8,iterations=3"), "als (factors=8,iterations=3)"),
        (("als", "", "optuna"), "als (tune=optuna)"),
        (("als", "factors=8", "optuna"), "als (factors=8, tune=optuna)"),
        (("als", "factors=8", "none", "depth=10"), "als (factors=8,depth=10)"),
        (("simulated", "n_items=1500"), "simulated (n_items=1500)"),
        (("a\nb",), "a\\nb"),
    ],
)
def test_a_label_is_a_name_with_its_settings(parts: tuple[str, ...], text: str) -> None:
    assert label(*parts) == text


@settings(deadline=None)
@given(ROWS)
def test_every_label_selects_its_own_row_and_no_other(rows: list[tuple[str, str, object]]) -> None:
    requests = [request(*row, key=f"k{at}") for at, row in enumerate(rows)]
    names = model_names(requests)
    assert len({n.label for n in names}) == len(names)
    for at, name in enumerate(names):
        assert "\n" not in name.label
        assert one_row(name.label, names, "model") == [at]
        assert one_row(f"'{name.label}'", names, "model") == [at]
        assert one_row(f"k{at}", names, "model") == [at]


@settings(deadline=None)
@given(ROWS)
def test_a_list_of_labels_is_read_as_these_labels(rows: list[tuple[str, str, object]]) -> None:
    names = model_names([request(*row, key=f"k{at}") for at, row in enumerate(rows)])
    labels = [name.label for name in names]
    for joined in (", ".join(labels), quoted(labels)):
        positions = [one_row(text, names, "model") for text in split_list(joined, names)]
        assert positions == [[at] for at in range(len(names))]


def test_a_plain_name_selects_all_rows_of_it_and_one_row_must_be_told() -> None:
    names = model_names([request("als", f"factors={f}") for f in (8, 16)] + [request("ease")])
    assert matches("als", names) == [0, 1] and matches("ease", names) == [2]
    with pytest.raises(UsageError) as error:
        one_row("als", names, "model")
    assert "'als (factors=8)', 'als (factors=16)'" in str(error.value)


def test_a_plain_name_that_is_a_label_is_that_row() -> None:
    names = model_names([request("als"), request("als", tune={"name": "optuna"})])
    assert matches("als", names) == [0, 1]
    assert one_row("als", names, "model") == [0]


@pytest.mark.parametrize(
    "text", ["als(factors=8,a=[1; 2],tune=optuna)", " als (factors=8, a=[1; 2], tune=optuna) "]
)
def test_spaces_are_free(text: str) -> None:
    names = model_names(
        [request("als", "factors=8,a=[1; 2]", {"name": "optuna"}), request("als", "factors=8")]
    )
    assert matches(text, names) == [0]


@pytest.mark.parametrize(
    ("text", "label"), [("ALS", "als"), ("popularty", "popularity"), ("Als (Factors=8)", "als (factors=8)")]
)
def test_a_near_miss_is_answered_with_the_label_to_write(text: str, label: str) -> None:
    names = model_names([request("als", "factors=8"), request("popularity")])
    assert matches(text, names) == []
    message = no_match("model", text, names)
    assert f"did you mean '{label}'?" in message
    assert message.endswith("choose one of: 'als (factors=8)', 'popularity'")


def test_rows_of_one_label_are_told_apart_by_what_differs_or_by_their_key() -> None:
    requests = [request("als", depth=d, key=f"k{d}") for d in (10, 20)]
    assert row_labels(requests) == ["als (depth=10)", "als (depth=20)"]
    twins = [request("als", key=k, contents={"model": k}) for k in ("c1", "c2")]
    assert row_labels(twins) == ["als (c1)", "als (c2)"]


def test_repetitions_of_a_row_share_its_label() -> None:
    requests = [request("als", seed=s, split_seed=t, key=f"k{s}{t}") for s in (1, 2) for t in (1, 2)]
    assert row_labels(requests) == ["als"] * 4


def test_places_and_cells_are_named_by_their_labels() -> None:
    cell = request("als", "factors=8", split_seed=7, seed=3, dataset_variant="n_users=9").cell
    assert dataset_split_label(cell) == "blocks (n_users=9), split random"
    assert cell_label(cell) == "als (factors=8) on blocks (n_users=9), split random, split_seed 7, seed 3"
