"""The shipped configuration as a folder of files: where it is and what names it knows. Read without Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def folder() -> Path:
    """Inside an installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "conf"


def groups() -> list[str]:
    """The names of the groups that people choose from."""
    return sorted(p.name for p in folder().iterdir() if p.is_dir() and p.name != "hydra")


def options(group: str) -> list[str]:
    """The names that a group knows."""
    return sorted(p.stem for p in (folder() / group).glob("*.yaml"))


def scalars() -> list[str]:
    """The keys of `config.yaml` itself."""
    return sorted(k for k in read(folder() / "config.yaml") if k not in ("defaults", "hydra"))


def statistics() -> dict[str, Any]:
    """How models are compared, as `config.yaml` has it: the arguments of `Rules`."""
    return dict(read(folder() / "config.yaml")["statistics"])


def read(path: Path) -> dict[str, Any]:
    """A YAML file as plain values."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
