"""docs/metrics.md has the tables of the catalogue; this file, run as a program, writes them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bakeoff.evaluation.catalogue import LIBRARIES, MODULES, Library, metric_paths, shipped
from bakeoff.evaluation.measure import measure

PATH = Path(__file__).parents[2] / "docs" / "metrics.md"
PAGE = PATH.read_text(encoding="utf-8")
TABLE = re.compile(r"(<!-- metrics: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
LIBRARY_TABLE = re.compile(r"(<!-- libraries -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def table(module: str) -> str:
    """Return the metrics of a module as a Markdown table."""
    lines = ["| name | formula | range | better | source |", "|---|---|---|---|---|"]
    for name, metric in shipped().items():
        if metric.compute.__module__ == f"bakeoff.evaluation.{module}":
            better = {True: "higher", False: "lower", None: "neither"}[metric.higher_is_better]
            cells = [f"`{name}`", metric.formula, metric.bounds, better, metric.source]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def libraries() -> str:
    """Return what each library calls by its words as a Markdown table."""
    words = ("precision", "recall", "ndcg", "map")
    lines = ["| `conventions=` | " + " | ".join((*words, "others", "mean over; a short list")) + " |"]
    lines.append("|---" * (len(words) + 3) + "|")
    for name, library in LIBRARIES.items():
        fields = [_named(library, word) for word in (*words, None)]
        lines.append(
            f"| `{name}`: {library.title} | {' | '.join(fields)} | {library.users}; {library.short} |"
        )
    return "\n".join(lines) + "\n"


def _named(library: Library, word: str | None) -> str:
    """Return the metrics of a word and of its variants; of all other words for None."""
    words = ("precision", "recall", "ndcg", "map")
    of = {
        own: next((w for w in words if own == w or own.startswith(f"{w}_")), None) for own in library.metrics
    }
    named = [
        f"`{metric}`" if own in (word, metric) else f"{own}: `{metric}`"
        for own, metric in library.metrics.items()
        if of[own] == word
    ]
    return ", ".join(named) or "–"  # noqa: RUF001


def with_tables(page: str) -> str:
    page = LIBRARY_TABLE.sub(lambda m: m[1] + libraries() + m[2], page)
    return TABLE.sub(lambda m: m[1] + table(m[2]) + m[3], page)


def test_the_tables_of_the_page_are_those_of_the_catalogue() -> None:
    assert [m[1] for m in TABLE.findall(PAGE)] == list(MODULES) and LIBRARY_TABLE.search(PAGE)
    assert with_tables(PAGE) == PAGE, f"write them anew: python {Path(__file__).name}"


def test_every_metric_that_the_page_names_exists() -> None:
    libraries = {name.rpartition("_")[2] for name, m in shipped().items() if "conventions" in m.path}
    words = set(re.findall(r"`(\w+)`", TABLE.sub("", PAGE)))
    named = {word for word in words if "_" in word and word.rpartition("_")[2] in libraries - {"k"}}
    assert len(named) > 20 and named <= set(shipped())


def test_the_metric_and_the_set_that_the_page_shows_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation.made_inputs import toy

    code, conf = (re.search(rf"```{kind}\n(.*?)```", PAGE, flags=re.DOTALL) for kind in ("python", "yaml"))
    assert code and conf
    module: dict[str, object] = {}
    exec(code.group(1), module)
    measured = measure(toy(), {"top_hit": module["top_hit"]}, [1, 3])  # type: ignore[dict-item]
    assert measured.per_user["top_hit", 3].tolist() == np.array([1.0, 1.0, 0.0, 1.0, 0.0]).tolist()
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "mine.yaml").write_text(conf.group(1))
    expected = {**metric_paths(["accuracy"]), "top_hit": "my_metrics.top_hit"}
    assert metric_paths(["mine"], [tmp_path]) == expected


if __name__ == "__main__":
    PATH.write_text(with_tables(PAGE), encoding="utf-8")
