"""Errors of Hydra, OmegaConf and YAML in one line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bakeoff import config_files
from bakeoff.config import overrides as words_of
from bakeoff.errors import nearest


def explained(error: Exception, folders: Iterable[str] = ()) -> str | None:
    """One line for an error of Hydra's or OmegaConf's, with the nearest names; None for any other.

    Args:
        folders: where the user's own YAML is.
    """
    import yaml
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f"{mark.name}, line {mark.line + 1}" if mark else "a YAML file"
        return f"{place}: not YAML: {error.problem or error.context}"
    if isinstance(error, UnicodeDecodeError):
        files = [p for folder in folders for p in sorted(Path(folder).rglob("*.yaml"))]
        return next(
            (f"{p}: not UTF-8 ({error.reason})" for p in files if error.object in p.read_bytes()), None
        )
    if isinstance(error, OverrideParseException):
        return words_of.unreadable(error.override)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group and error.options:
            return f"{group}={name}: {nearest(name, error.options)}"
        if group in config_files.groups():
            return f"{group}={name}: {nearest(name, config_files.options(group))}"
        if group:
            return f"{group}={name}: there is no such group; {nearest(group, _groups())}"
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or "")
    text = " ".join(str(cause).splitlines()[0].split())
    if "@experiment." in text:
        return f"{text.partition(': ')[0].removeprefix('In ')}: {words_of.GLOBAL}"
    if "is not in struct" in text or "Could not override" in str(error):
        wrong = key or str(error).partition("'")[2].partition("'")[0]
        beside: Any = getattr(cause, "parent_node", None)
        siblings = [str(k) for k in beside or () if str(k) not in ("hydra", "_target_")]
        group = wrong.partition(".")[0]
        named = beside._get_root().get(group) if beside and group in ("model", "split", "dataset") else None
        whose = f" of {group} {named.name!r}" if named is not None and "name" in named else ""
        hint = nearest(wrong.rpartition(".")[2], siblings) if siblings else "it has none"
        if wrong.partition(".")[0] not in _groups() and (of := _groups_with(wrong)):
            hint = f"did you mean {' or '.join(f'{group}.{wrong}' for group in of)}?"
        return f"{wrong}: there is no such option{whose}; {hint}"
    if "Missing mandatory value" in text:
        return f"{key}: no value; give one as {key}=..."
    first = " ".join(line.strip() for line in str(error).splitlines()[:2])
    return f"{first}" + ("" if cause is error else f" ({text})")


def _groups() -> list[str]:
    return sorted({*config_files.groups(), *config_files.scalars()})


def _groups_with(knob: str) -> list[str]:
    """Groups of which an option has a knob of this name."""
    return [
        group
        for group in config_files.groups()
        if any(
            knob in config_files.read(config_files.folder() / group / f"{o}.yaml")
            for o in config_files.options(group)
        )
    ]
