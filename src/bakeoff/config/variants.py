"""What differs from the YAML of a group's option, in words: the variant that stands in the tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def variant(group: str, config: Any, given: Mapping[str, Any], inside: str = "") -> str:
    """The knobs that differ from the group's YAML, as `factors=128,iterations=30`; names and paths aside."""
    written = _as_written(group, config)
    written = written.get(inside, {}) if inside else written
    differing = {
        k: v
        for k, v in given.items()
        if k in written and written[k] != v and not str(written[k]).startswith("${") and written[k] != "???"
    }
    skipped = ("name", "path", "fold") if group != "model" else ("name", "path")
    return ",".join(f"{k}={_text(v)}" for k, v in sorted(differing.items()) if k not in skipped)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"[{'; '.join(_text(v) for v in value)}]" if isinstance(value, list) else str(value)


def _as_written(group: str, config: Any) -> Mapping[str, Any]:
    """The YAML of the chosen option of a group, before any override."""
    import yaml

    choice = config.hydra.runtime.choices.get(group)
    for source in config.hydra.runtime.config_sources:
        path = Path(source.path) / group / f"{choice}.yaml"
        if source.schema == "file" and path.exists():
            return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return {}
