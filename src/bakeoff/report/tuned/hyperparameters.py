"""Hyperparameters and their spaces in words: plain text that shows all that a configuration holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.hashing import canonical_json
from bakeoff.report.wording import NOTHING, visible


def value_text(value: Any) -> str:
    """Return numbers with five significant figures; cells.csv has the best values in full.

    >>> value_text(115.31686426088254), value_text("log1p"), value_text(None)
    ('115.32', 'log1p', 'null')
    """
    if isinstance(value, float):
        return f"{value:.5g}"
    return visible(value if isinstance(value, str) else canonical_json(value))


def pairs_text(values: Mapping[str, Any]) -> str:
    """Return all values as `name=value`.

    >>> pairs_text({"K": 11, "weights": "none"})
    'K=11, weights=none'
    """
    return ", ".join(f"{visible(str(n))}={value_text(v)}" for n, v in values.items()) or NOTHING


def space_text(spec: Mapping[str, Any]) -> str:
    """Return a distribution as a model's YAML writes it.

    >>> space_text({"low": 8, "high": 512, "log": True, "when": {"weights": "none"}})
    '8 to 512 (log), when weights=none'
    """
    condition = f", when {pairs_text(spec['when'])}" if spec.get("when") else ""
    if "choices" in spec:
        return ", ".join(value_text(c) for c in spec["choices"]) + condition
    scale = " (log)" if spec.get("log") else ""
    step = f" by {value_text(spec['step'])}" if spec.get("step") else ""
    return f"{value_text(spec.get('low'))} to {value_text(spec.get('high'))}{step}{scale}{condition}"


def range_text(values: Sequence[Any]) -> str:
    """Return one value, the ends of several numbers, or all of several words.

    >>> range_text([3, 1, 2]), range_text(["b", "a", "b"]), range_text([7, 7])
    ('1 to 3', 'b, a', '7')
    """
    distinct = list(dict.fromkeys(values))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in distinct)
    if numbers and len(distinct) > 1:
        return f"{value_text(min(distinct))} to {value_text(max(distinct))}"
    return ", ".join(value_text(v) for v in distinct) or NOTHING
