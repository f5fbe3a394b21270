"""Explain errors of Hydra and OmegaConf in one line."""

from __future__ import annotations

import os
import traceback
from types import FrameType
from typing import Any

from bakeoff import config_files
from bakeoff.config.overrides import GLOBAL, CommandLine, Grid
from bakeoff.errors import closest, nearest


def explain(error: Exception, words: CommandLine, grid: Grid | None = None) -> str | None:
    """Return one line for an error of Hydra or OmegaConf, with the nearest names; None for one of ours.

    Args:
        words: the command.
        grid: its jobs, as far as it came to them.
    """
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        if group:
            return _missing_option(group, name, words)
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return _accident(error)
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or "")
    text = " ".join(str(cause).splitlines()[0].split())
    if "@experiment." in text:
        return f"{text.partition(': ')[0].removeprefix('In ')}: {GLOBAL}"
    if "is not in struct" in text or "Could not override" in str(error):
        return _missing_key(key or str(error).partition("'")[2].partition("'")[0], cause, words, grid)
    if "Missing mandatory value" in text:
        return f"{key}: no value; give one as {key}=..."
    first = " ".join(line.strip() for line in str(error).splitlines()[:2])
    return f"{first}" + ("" if cause is error else f" ({text})")


_COMPOSES = ("hydra", "omegaconf", "antlr4")


def _accident(error: Exception) -> str | None:
    """Return the message for an error of Python's inside Hydra, which has not checked what it was given."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [str(frame.f_globals.get("__name__")).partition(".")[0] for frame in frames]
    own = max(at for at, package in enumerate(packages) if package in ("bakeoff", "hydra_plugins"))
    if not set(packages[own + 1 : own + 2]) & set(_COMPOSES) or frames[-1].f_code.co_name == "return_value":
        return None  # `return_value` raises what a cell has raised in a launcher
    if isinstance(error, RecursionError):
        files = [f.f_locals["path"] for f in frames if _includes(f)]
        circle = next((file for file in files if files.count(file) > 1), None)
        if circle is not None:
            return f"{circle}: its `defaults` lead back to itself"
        return "a value of the command is nested too deeply"
    return f"the configuration cannot be composed: {error}"


def _includes(frame: FrameType) -> bool:
    return frame.f_code.co_name == "_create_defaults_tree_impl" and "path" in frame.f_locals


def _unreadable(override: str) -> str:
    """Return the message for a word that is not in Hydra's grammar."""
    key, _, value = override.partition("=")
    if "" in [part.strip() for part in value.split(",")] and "'" not in value and '"' not in value:
        return f"{override!r} cannot be read: it has a comma with nothing before or after it"
    return (
        f"{override!r} cannot be read: a value with spaces, letters beyond ASCII or signs such as ; ( ) "
        f"needs quotes of its own inside those of the shell, as in \"{key}='{value}'\""
    )


def _missing_option(group: str, name: str, words: CommandLine) -> str:
    options = config_files.options(group, words.search_path)
    for path in (root / group / f"{name}.yaml" for root in words.search_path):
        if os.path.lexists(path):
            return f"{path}: expected a file with YAML"
    if group not in config_files.groups() and not options:
        return f"{group}={name}: there is no such group; {nearest(group, config_files.roots())}"
    if similar := closest(name, options):
        return f"{group}={name}: did you mean {similar!r}? write {group}={similar}"
    return f"{group}={name}: {nearest(name, options)}"


def _missing_key(key: str, cause: Exception, words: CommandLine, grid: Grid | None) -> str:
    """Return the message for an override of a key that the configuration does not have."""
    group, _, parameter = key.partition(".")
    if group == "tune" and not getattr(cause, "parent_node", None):
        return f"{key}: nothing is tuned; add tune=optuna"
    parent: Any = getattr(cause, "parent_node", None)
    siblings = [str(k) for k in parent or () if str(k) not in ("hydra", "_target_")]
    node = parent._get_root().get(group) if parent and group in ("model", "split", "dataset") else None
    option = str(node.name) if node is not None and "name" in node else ""
    message = f"{key}: there is no such option{f' of {group} {option!r}' if option else ''}"
    own = grid.spelling(group, parameter.removeprefix("build.")) if grid is not None and parameter else ""
    if own and own != key:
        value = next(
            (w.partition("=")[2] for w in words.overrides if w.lstrip("+").startswith(f"{key}=")), ""
        )
        return f"{message}; write {own}={value}"
    return f"{message}; {nearest(key.rpartition('.')[2], siblings) if siblings else 'it has none'}"
