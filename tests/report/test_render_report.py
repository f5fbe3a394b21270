"""Every output of a report: text from data is data, and the same rows stand in each."""

# ruff: noqa: RUF001 - the dash of an empty field

from __future__ import annotations

import io
import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from bakeoff.queries.comparison import comparison
from bakeoff.report.document import document
from bakeoff.report.render import console, html, latex, markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b",
    "_x_ and *y* and __z__",
    "50 % of $1_{2}^3 & #4 ~5 \\input{x}",
    "[bold]red[/bold] [a](http://b) ![c](d)",
    "`code` ``two``",
    "&lt; &amp; \"quoted\" 'single'",
    "🎵 👩‍👩‍👧 :smile:",
    "שלום عربى",
    "{{ document }} {% raw %}",
    "]] --> <!-- \\",
]


def numbers(mean):
    return {"ndcg": {"10": (mean, 0.01)}, "auc": {"": (mean, 0.02)}}


@pytest.fixture
def hostile(make):
    return [
        make(text, numbers(0.1 * n), key=f"c{n}", variant=text, dataset=HOSTILE[0], split=HOSTILE[1])
        if n % 2
        else make(text, key=f"c{n}", status="failed", reason=text, dataset=HOSTILE[0], split=HOSTILE[1])
        for n, text in enumerate(HOSTILE)
    ]


def written(results, metrics, commands=("bakeoff run",), per_grid=None):
    return document(
        HOSTILE[0], results, comparison(results, (10,), metrics), metrics, commands, per_grid=per_grid
    )


def texts_of(doc):
    """The body of every table that a document holds, in order."""
    grids = [g for s in doc.sections for g in (s.splits, *s.metrics, s.costs)]
    return [[[e.text for e in row] for row in g.rows] for g in grids]


# -- Markdown ------------------------------------------------------------------------------------


def markdown_tables(text):
    """The plain text of every table, read by an independent parser."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    tables, inside = [], False
    for token in tokens:
        if token.type == "tbody_open":
            tables.append([])
        inside = token.type == "td_open" or (inside and token.type != "td_close")
        if token.type == "tr_open" and tables:
            row = []
            tables[-1].append(row)
        if token.type == "inline" and inside:
            assert {t.type for t in token.children} <= {"text", "text_special", "strong_open", "strong_close"}
            row.append("".join(t.content for t in token.children))
    return tables


def test_markdown_reads_back_to_the_same_text(hostile, metrics) -> None:
    doc = written(hostile, metrics)
    result = [[row for row in table if row] for table in markdown_tables(markdown.render(doc))]
    assert [[[" ".join(t.split()) for t in row] for row in table] for table in result] == [
        [[" ".join(t.split()) for t in row] for row in table]
        for table in (*texts_of(doc), [[e.text for e in row] for row in doc.proof.rows])
    ]


def test_markdown_has_no_html_and_no_link(hostile, metrics) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown.render(written(hostile, metrics)))
    html = [t.content for t in tokens if t.type == "html_block"]
    assert [text[:9] for text in html] == ["<details>", "</details"], "the fold of the proof alone"
    kinds = {t.type for t in tokens if t.content not in html}
    kinds |= {c.type for t in tokens for c in t.children or []}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "em_open", "code_inline"}


def test_commands_stand_in_a_fence_that_they_cannot_close(make, metrics) -> None:
    command = "bakeoff run 'name=```x````'"
    tokens = MarkdownIt("commonmark").parse(markdown.render(written([make("a")], metrics, (command,))))
    assert [t.content for t in tokens if t.type == "fence"] == [command + "\n"]


def test_a_small_report_as_markdown(make, metrics) -> None:
    results = [
        make("als", numbers(0.25), build={"weights": "log1p"}, counts={"catalogue": 9, "test_pairs": 1500}),
        make("pop", numbers(0.125), target="bakeoff.models.baselines.Popularity"),
        make("ease", status="skipped", reason="needs 90 GB"),
    ]
    doc = document(
        "first", results, comparison(results, (10,), metrics), {"ndcg": metrics["ndcg"]}, ["bakeoff run"]
    )
    assert (
        markdown.render(doc).partition("\n## Proof")[0]
        == """\
# Experiment first

3 cells (data set, split, model, seeds): 2 done, 1 skipped, 0 failed.

## plays, split random

| split seed | fingerprint | users evaluated | catalogue | train pairs | test pairs | other counts |
| --- | --- | ---: | ---: | ---: | ---: | --- |
| 42 | s42 | 50 | 9 | – | 1,500 |  |

### plays, split random, k = 10

| model | ndcg |
| --- | ---: |
| als | **0.2500 ± 0.0201★** |
| pop | 0.1250 ± 0.0201 |
| ease | – |

### plays, split random, without cutoff

| model | auc |
| --- | ---: |
| als | **0.2500 ± 0.0402★** |
| pop | 0.1250 ± 0.0402 |
| ease | – |

### Cost and status of plays, split random

| model | fit (s) | recommend (s) | peak memory (MB) | status | reason |
| --- | ---: | ---: | ---: | --- | --- |
| als | 1.50 | 0.25 | 200 | done |  |
| pop | 1.50 | 0.25 | 200 | done |  |
| ease | – | – | – | skipped | skipped: needs 90 GB |

- ★: best of its column (ties are all marked); ±: half of the 95 % interval over users.
- Every model that has the setting: weights=log1p.

## Metrics

- **ndcg**: dcg / ideal over min(k, R) (higher is better)

In the formulas k is the cutoff, H the number of hits in the first k places and R that of the user's test \
items. Ranges, sources and all other symbols: docs/metrics.md of bakeoff.

## Run it again

```sh
bakeoff run
```
"""
    )


# -- LaTeX ---------------------------------------------------------------------------------------


def unescaped(text):
    """Plain text of what `escape` made, by the meaning of each command in LaTeX."""
    named = {
        "textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textless": "<",
        "textgreater": ">", "textbar": "|", "char34": '"', "textasciigrave": "`",
        "textquotesingle": "'", "textendash": "–",
    }  # fmt: skip

    def plain(match):
        if match["letters"]:
            assert " ".join(f"U+{ord(c):04X}" for c in match["letters"]) == match["codes"]
            return match["letters"]
        if match["name"]:
            return named[match["name"]]
        return match["char"] or match["group"] or {"$\\pm$": "±", "-{}": "-", ",{}": ","}[match[0]]

    pattern = (
        r"\\bakeoffletters\{(?P<codes>[^}]*)\}\{(?P<letters>[^}]*)\}|\\(?P<name>[a-z]+(34)?)\{\}"
        r"|\\(?P<char>[{}$&%#_])|\{(?P<group>[\[\]])\}|\$\\pm\$|[-,]\{\}"
    )
    rest = re.sub(pattern, "", text)
    assert not set(rest) & set("\\{}$&%#_^~[]"), rest
    assert "--" not in text and ",," not in text
    return re.sub(pattern, plain, text)


@pytest.mark.parametrize("text", [*HOSTILE, "0.1 ± 0.2", "–", "a---b", "x,,y"])
def test_latex_means_the_same_text(text) -> None:
    assert unescaped(latex.escape(text)) == text


def test_latex_has_the_rows_of_the_document(hostile, metrics) -> None:
    doc = written(hostile, metrics, per_grid=latex.COLUMNS)
    text = latex.render(doc)
    grids = [g for s in doc.sections for g in (*s.metrics, s.costs)]
    bodies = re.findall(r"\\midrule\n(.*?)\\bottomrule", text, flags=re.DOTALL)
    for grid, body in zip(grids, bodies, strict=True):
        lines = body.splitlines()
        assert len(lines) == len(grid.rows)
        for line, row in zip(lines, grid.rows, strict=True):
            assert line.endswith(r" \\")
            assert len(re.split(r"(?<!\\)&", line)) == len(row)
            assert all(latex.escape(entry.text) in line for entry in row)
    assert text.count(r"\bakeoffcaption{") == len(grids)
    assert text.count(r"\begin{minipage}") == text.count(r"\end{minipage}")


def test_latex_marks_the_best(make, metrics) -> None:
    results = [make("a", numbers(0.5)), make("b", numbers(0.25))]
    assert r"a & \textbf{0.5000 $\pm$ 0.0201$^{\star}$} \\" in latex.render(written(results, metrics))


# -- terminal ------------------------------------------------------------------------------------


def printed(results, metrics, tmp_path, width=100, ks=(10,)):
    out = io.StringIO()
    console.print_tables("x", results, ks, metrics, tmp_path, Console(file=out, width=width, no_color=True))
    return out.getvalue()


def test_the_terminal_shows_hostile_text_as_it_is(make, metrics, tmp_path) -> None:
    results = [make(t, key=f"c{n}", status="failed", reason=t) for n, t in enumerate(HOSTILE)]
    lines = printed(results, metrics, tmp_path).splitlines()
    for text in HOSTILE:
        assert f"{text}: failed: {text}" in lines


def test_control_characters_do_not_reach_the_terminal(make, metrics, tmp_path) -> None:
    odd = "a\x1b[31mb\nc\u202ed"
    text = printed([make(odd, status="failed", reason=odd, dataset=odd)], metrics, tmp_path)
    assert "\x1b" not in text
    assert r"a\x1b[31mb\nc\u202ed: failed: a\x1b[31mb\nc\u202ed" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_as_many_metrics_as_fit_stand_on_a_terminal(make, metrics, tmp_path, width) -> None:
    names = ("ndcg", "gini", "mean_popularity", "auc")
    results = [
        make(
            m,
            {n: {"10" if metrics[n].cutoff else "": (v, 0.01)} for n in names},
            seconds={"fit": v, "recommend": v},
        )
        for m, v in (("als", 0.5), ("a_model_with_a_long_name", 0.25))
    ]
    text = printed(results, metrics, tmp_path, width)
    body = text.splitlines()[:4]
    assert all(len(line) <= width for line in body)
    shown = [m for m in ("ndcg", "auc", "gini", "mean_popularity") if m in body[1].split()]
    assert shown == ["ndcg", "auc", "gini", "mean_popularity"][: len(shown)]
    assert len(shown) == {40: 1, 60: 1, 80: 2, 120: 4, 200: 4}[width]
    assert "…" not in "".join(body)


def test_a_column_that_is_the_same_in_every_row_stands_below_the_table(make, metrics, tmp_path) -> None:
    values = {m: {"ndcg": {"10": (v, 0.01)}, "auc": {"": (0.5, None)}} for m, v in (("a", 0.5), ("b", 0.25))}
    results = [make(m, values[m], seed=s) for m in values for s in (1, 2)]
    lines = printed(results, metrics, tmp_path).splitlines()
    assert "auc" not in lines[1] and "runs" not in lines[1]
    (note,) = [line for line in lines if line.startswith("The same in every row")]
    assert "auc 0.500" in note and "runs 2/2" in note


def test_the_terminal_shows_the_k_nearest_to_ten_and_says_where_the_rest_is(make, metrics, tmp_path) -> None:
    both = {"ndcg": {"5": (0.1, 0.01), "10": (0.2, 0.01), "20": (0.3, 0.01)}}
    text = printed([make("a", both)], metrics, tmp_path, ks=(5, 10, 20))
    assert "k = 10" in text.splitlines()[0]
    assert f"Experiment x, all metrics, and k = 5, 20: {tmp_path / 'report.md'}" in text
    assert "k = 5" in printed([make("a", both)], metrics, tmp_path, ks=(20, 5)).splitlines()[0]


def test_the_best_bears_a_sign_where_there_is_no_bold(make, metrics, tmp_path) -> None:
    results = [make(m, {"ndcg": {"10": (v, 0.01)}}) for m, v in (("b", 0.25), ("a", 0.125), ("c", 0.5))]
    lines = printed(results, metrics, tmp_path).splitlines()
    rows = [line.split()[:2] for line in lines if line[:2] in ("a ", "b ", "c ")]
    assert rows == [["c", "0.500±0.020★"], ["b", "0.250±0.020"], ["a", "0.125±0.020"]]
    assert any(line.startswith("★: best") for line in lines)
    out = io.StringIO()
    terminal = Console(file=out, width=100, force_terminal=True)
    console.print_tables("x", results, (10,), metrics, tmp_path, terminal)
    assert "*" not in out.getvalue() and "\x1b[1m" in out.getvalue()


def test_a_column_that_is_the_same_in_every_row_is_a_note_in_every_output(make, metrics) -> None:
    results = [
        make(m, {"ndcg": {"10": (0.5, None)}, "auc": {"": (v, None)}}, seconds={"fit": v})
        for m, v in (("a", 0.25), ("b", 0.5))
    ]
    doc = written(results, metrics)
    (section,) = doc.sections
    at_10, without = section.metrics
    assert ([h.text for h in at_10.heads], at_10.notes) == (
        ["model"],
        ("The same in every row: ndcg 0.5000.",),
    )
    assert [h.text for h in without.heads] == ["model", "auc"] and without.notes == ()
    assert [h.text for h in section.costs.heads] == ["model", "fit (s)"]
    (note,) = section.costs.notes
    assert "peak memory (MB) 200" in note and "reason" not in note
    assert note in markdown.render(doc) and latex.escape(note) in latex.render(doc)
    assert "peak memory (MB) 200" in html.table(section.costs)
