"""Names of models, data sets and splits: how every output writes them, and how a command reads them back.

    als
    als (factors=8,iterations=3)
    als (factors=8,iterations=3, tune=optuna)
    simulated (n_items=1500)

The parentheses hold the settings that differ from the option's YAML. Rows of one table have distinct labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bakeoff.errors import UsageError, closest
from bakeoff.hashing import canonical_json

if TYPE_CHECKING:
    from bakeoff.run.cell import Cell
    from bakeoff.storage.record import CellRequest

_BIDIRECTIONAL = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Embeddings, overrides and isolates: they let text be shown in another order than it is read."""


class Name(NamedTuple):
    """What selects a cell: the plain name of its model (data set, split), the label of its row, its key."""

    name: str
    label: str
    key: str = ""

    @classmethod
    def of(cls, name: str, variant: str = "") -> Name:
        """Return the name of a data set or a split, which has no key."""
        return cls(escape_control_chars(name), label(name, variant))


# -- writing -----------------------------------------------------------------------------------------


def label(name: str, variant: str = "", tune: str = "none", extra: str = "") -> str:
    """Return a name with its settings in parentheses: one line without control characters.

    Args:
        variant: settings that differ from the YAML, `factors=8,iterations=3`.
        tune: name of the tuner, "none" without.
        extra: more settings or a key, where others have the same name, variant and tuner.

    >>> label("als", "factors=8,iterations=3", "optuna")
    'als (factors=8,iterations=3, tune=optuna)'
    """
    inside = settings(variant, tune, extra)
    return escape_control_chars(f"{name} ({inside})" if inside else name)


def settings(variant: str, tune: str = "none", extra: str = "") -> str:
    """Return what stands between the parentheses of a label; "" for a name without any.

    >>> settings("factors=8", "optuna")
    'factors=8, tune=optuna'
    """
    parameters = ",".join(part for part in (variant, extra) if part)
    tuning = "" if tune == "none" else f"tune={tune}"
    return escape_control_chars(", ".join(part for part in (parameters, tuning) if part))


def model_label(cell: Cell, extra: str = "") -> str:
    """Return the label of a cell's model."""
    return label(cell.model_name, cell.variant, tune_name(cell), extra)


def dataset_label(cell: Cell) -> str:
    """Return the label of a cell's data set."""
    return label(cell.dataset_name, cell.dataset_variant)


def split_label(cell: Cell) -> str:
    """Return the label of a cell's split, without its seed and fold."""
    return label(cell.split_name, cell.split_variant)


def dataset_split_label(cell: Cell) -> str:
    """Return the labels of data set and split: `blocks, split random (ratio=0.7)`."""
    return f"{dataset_label(cell)}, split {split_label(cell)}"


def instance_label(cell: Cell) -> str:
    """Return data set, split, split seed and fold: `blocks, split kfold, split_seed 42, fold 1`."""
    fold = "" if cell.fold is None else f", fold {cell.fold}"
    return f"{dataset_split_label(cell)}, split_seed {cell.split_seed}{fold}"


def cell_label(cell: Cell) -> str:
    """Return all coordinates: `als (factors=8) on blocks, split random, split_seed 42, seed 1`."""
    return f"{model_label(cell)} on {instance_label(cell)}, seed {cell.seed}"


def tune_name(cell: Cell) -> str:
    """Return the name of a cell's tuner, "none" without."""
    if cell.tune is None:
        return "none"
    return str(cell.tune.get("name") or cell.tune.get("_target_", "").rpartition(".")[2] or "tuned")


def coordinates(cell: Cell) -> dict[str, str | int | None]:
    """Return what tells a cell from the others of a grid, by the names of the columns of cells.csv."""
    return {
        "dataset": cell.dataset_name,
        "split": cell.split_name,
        "split_seed": cell.split_seed,
        "fold": cell.fold,
        "model": cell.model_name,
        "variant": cell.variant,
        "tune": tune_name(cell),
        "seed": cell.seed,
    }


def row_identity(cell: Cell) -> str:
    """Return what the repetitions of one row share: all of a cell but its data, its split and its seed."""
    model = [cell.model_name, cell.variant, cell.model_build, cell.contents.get("model")]
    space = cell.space if cell.tune is not None else None
    return canonical_json([model, cell.tune, space, cell.depth])


def distinguishing_settings(rows: Sequence[CellRequest]) -> list[str]:
    """Return, for a cell of each row, the settings in which it differs from rows of the same label.

    "" for a row that needs none; the key where no setting tells the rows apart.
    """
    same_label: dict[str, list[CellRequest]] = {}
    for row in rows:
        same_label.setdefault(model_label(row.cell), []).append(row)
    texts: dict[str, str] = {}
    for alike in same_label.values():
        parameters = [_parameters(row.cell) for row in alike]
        names = sorted({n for k in parameters for n in k if any(o.get(n) != k[n] for o in parameters)})
        differing = [",".join(f"{n}={k[n]}" for n in names if n in k) for k in parameters]
        unique = len(set(differing)) == len(differing)
        texts |= {row.key: text if unique else row.key for row, text in zip(alike, differing, strict=True)}
    return [texts[row.key] for row in rows]


def _parameters(cell: Cell) -> dict[str, Any]:
    tune = {f"tune.{k}": v for k, v in (cell.tune or {}).items()}
    return {**cell.model_build, **tune, "depth": cell.depth}


def row_labels(requests: Sequence[CellRequest]) -> list[str]:
    """Return the label of each cell's row: the same for its repetitions, another for every other row."""
    rows: dict[str, dict[str, CellRequest]] = {}
    for request in requests:
        rows.setdefault(dataset_split_label(request.cell), {}).setdefault(row_identity(request.cell), request)
    labels: dict[tuple[str, str], str] = {}
    for split, by_identity in rows.items():
        first = list(by_identity.values())
        for identity, row, extra in zip(by_identity, first, distinguishing_settings(first), strict=True):
            labels[split, identity] = model_label(row.cell, extra)
    return [labels[dataset_split_label(r.cell), row_identity(r.cell)] for r in requests]


def model_names(requests: Sequence[CellRequest]) -> list[Name]:
    """Return what the model of each cell may be called."""
    return [
        Name(escape_control_chars(r.cell.model_name), text, r.key)
        for r, text in zip(requests, row_labels(requests), strict=True)
    ]


def quoted(labels: Iterable[str]) -> str:
    """Return labels for a message, each in single quotes, so that one can be pasted back."""
    return ", ".join(f"'{text}'" for text in labels)


def escape_control_chars(text: str) -> str:
    """Return text from data as one line: control and direction characters as escapes.

    >>> escape_control_chars("a\\tb\\u202ec")
    'a\\\\tb\\\\u202ec'
    """
    return "".join(c.encode("unicode_escape").decode() if _is_control(c) else c for c in text)


def _is_control(char: str) -> bool:
    return ord(char) in _BIDIRECTIONAL or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


# -- reading -----------------------------------------------------------------------------------------


def matches(text: str, names: Sequence[Name]) -> list[int]:
    """Return the positions of the names that a text selects; [] where there is none.

    A key selects its cell, a label its row, a plain name every row of that name. Spaces after commas and
    single quotes around the text are optional.
    """
    for spelled in dict.fromkeys((escape_control_chars(text), _unquoted(text))):
        for spellings in (_keys, _names, _compact):
            own = _without_spaces(spelled) if spellings is _compact else spelled
            if positions := [at for at, name in enumerate(names) if own in spellings(name)]:
                return positions
    return []


def one_row(text: str, names: Sequence[Name], what: str) -> list[int]:
    """Return the positions of the cells of one row: of a key, a label, or a plain name of a single row.

    Raises:
        UsageError: the text selects nothing, or several rows; the message offers their labels.
    """
    positions = matches(text, names)
    if not positions:
        raise UsageError(no_match(what, text, names))
    if len({names[at].label for at in positions}) > 1:
        exact = [at for at in positions if names[at].label in (text, _unquoted(text))]
        if not exact:
            labels = quoted(dict.fromkeys(names[at].label for at in positions))
            raise UsageError(f"{what} {text!r} selects several rows; choose one of: {labels}")
        positions = exact
    return positions


def no_match(what: str, text: str, names: Sequence[Name]) -> str:
    """Return a message that answers a text without match with the nearest label and all labels."""
    labels = dict.fromkeys(spelling for name in names for spelling in (name.name, name.label))
    close = closest(_unquoted(text), labels)
    hint = "" if close is None else f"did you mean '{close}'? "
    return f"{what} {text!r}: {hint}choose one of: {quoted(sorted({name.label for name in names}))}"


def split_list(text: str, names: Iterable[Name]) -> list[str]:
    """Return the names in a list between commas, where labels may hold commas themselves.

    The longest of the given names that fits is read first. Any other text ends at the next comma outside of
    parentheses and brackets.

    >>> split_list("als (factors=8,iterations=3), popularity", [])
    ['als (factors=8,iterations=3)', 'popularity']
    """
    spellings: set[str] = {s for name in names for s in (*_keys(name), *_names(name)) if s}
    by_length = sorted((escaped for s in spellings for escaped in (s, f"'{s}'")), key=len, reverse=True)
    parts, rest = [], escape_control_chars(text).strip()
    while rest:
        end = next((len(k) for k in by_length if rest.startswith(k) and _ends(rest[len(k) :])), None)
        end = _end_of_part(rest) if end is None else end
        parts.append(rest[:end].strip())
        rest = rest[end:].lstrip().removeprefix(",").lstrip()
    return [part for part in parts if part]


def _unquoted(text: str) -> str:
    text = escape_control_chars(text).strip()
    quoted = len(text) > 1 and text[0] == text[-1] == "'"
    return text[1:-1] if quoted else text


def _ends(rest: str) -> bool:
    return not rest.strip() or rest.lstrip().startswith(",")


def _end_of_part(text: str) -> int:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth <= 0:
            return at
    return len(text)


def _keys(name: Name) -> Collection[str]:
    return (name.key, f"{name.name} ({name.key})") if name.key else ()


def _names(name: Name) -> Collection[str]:
    return name.name, name.label


def _compact(name: Name) -> Collection[str]:
    return (_without_spaces(name.label),)


def _without_spaces(text: str) -> str:
    return re.sub(r"\s*([,(])\s*", r"\1", text)
