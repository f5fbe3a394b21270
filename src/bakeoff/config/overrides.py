"""The words of a command as texts: their order for Hydra, and what Hydra takes though it means nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bakeoff import config_files
from bakeoff.errors import ConfigError, nearest
from bakeoff.evaluation.catalogue import metric_paths

_FOLLOWED = (
    *("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp"),
    *("--cfg", "-c", "--package", "-p"),
)

_CHOSEN = ("dataset", "split", "model", "metrics", "tune")  # groups of which every cell has one

# One value each: what says how to run and to report, which no two cells of a grid can differ in.
_NO_AXES = (
    *("k", "metrics", "results_dir", "fresh", "rerun", "isolate", "debug", "save_model", "workers"),
    *("time_limit", "memory_limit", "mlflow", "baselines"),
)


_OF_MODELS = ("name", "build", "space")

GLOBAL = "nobody reads it there; a preset begins with the line `# @package _global_`"


def ordered(words: Sequence[str]) -> list[str]:
    """Flags first: Hydra's parser takes overrides in one stretch; people write --config-dir anywhere.

    Hydra also tries them on the defaults before it composes a job, and `tune=none` has no keys: those of the
    tuner are added rather than overridden, and checked when the cell is made.

    Raises:
        ConfigError: a flag that does not exist or lacks its value, or a word that is no key=value.
    """
    options: list[str] = []
    overrides: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            key, equals, value = word.partition("=")
            if not word.startswith("~") and not (key.strip("+ ") and equals):
                raise ConfigError(f"{word!r}: expected key=value")
            if value == "null" and key in _CHOSEN:
                raise ConfigError(f"{word}: expected a name; {nearest(value, config_files.options(key))}")
            if key == "metrics":
                overrides.append(_only_metrics(value, folders(words)))
                continue
            if value.startswith("[") and key in _CHOSEN:
                raise ConfigError(_no_list(key, value))
            overrides.append(f"++{word}" if word.startswith("tune.") else word)
            continue
        flag, equals, _ = word.partition("=")
        if flag == "--resolve":
            options.append(word)
            continue
        if flag not in _FOLLOWED:
            raise ConfigError(f"{word}: there is no such flag; knobs are given as key=value, see --help")
        options.append(word)
        if not equals:
            if (following := next(rest, None)) is None:
                raise ConfigError(f"{word}: no value; give one as {word} VALUE")
            options.append(following)
    return [*options, *overrides]


def folders(words: Sequence[str]) -> list[str]:
    """The values of --config-dir."""
    flags = ("--config-dir", "-cd")
    beside = [value for flag, value in pairwise(words) if flag in flags]
    inside = [word.partition("=")[2] for word in words if word.partition("=")[0] in flags]
    return [*beside, *filter(None, inside)]


def check(jobs: Sequence[Sequence[str]]) -> None:
    """Refuse what Hydra composes without a murmur: unknown keys, groups left out, settings with two values.

    Args:
        jobs: the overrides of each job of the grid.

    Raises:
        ConfigError: one of them, named.
    """
    known = {*config_files.groups(), *config_files.scalars()}
    values: dict[str, dict[str, None]] = {}
    for word in dict.fromkeys(word for job in jobs for word in job):
        key, _, value = word.lstrip("+~").partition("=")
        root = key.partition(".")[0].partition("/")[0].partition("@")[0]
        if word.startswith("~") and root == key:
            raise ConfigError(f"{word}: {key} cannot be left out")
        if word.startswith("+") and root not in known and root != "hydra":
            raise ConfigError(f"{key}: there is no such option; {nearest(key, known)}")
        values.setdefault(key, {})[value] = None
    for key, several in values.items():
        if len(several) > 1 and (key in _NO_AXES or key.startswith("statistics.")):
            listed = f"give a list, {key}=[{','.join(v.strip('[]') for v in several)}]"
            advice = listed if key in ("k", "baselines") else "give one value"
            raise ConfigError(f"{key}={','.join(several)}: it is no axis of a grid; {advice}")


def check_keys(config: Mapping[str, Any]) -> None:
    """Refuse what a YAML of the user's brings and nobody reads.

    Args:
        config: a composed configuration as plain values, interpolations as they are written.
    """
    known = {*config_files.groups(), *config_files.scalars(), "hydra"}
    for key in config:
        if key not in known:
            raise ConfigError(f"{key}: there is no such option, and a preset sets it; {nearest(key, known)}")
    if stray := config.get("experiment"):
        raise ConfigError(f"experiment.{next(iter(stray))}: {GLOBAL}")
    for group in (*_CHOSEN, "statistics"):
        if not isinstance(config[group], Mapping):
            raise ConfigError(
                f"{group}={config[group]!r}: expected keys with their values; a preset chooses by "
                f"`- override /{group}: NAME` in its `defaults`"
            )
    if unknown := [k for k in config["statistics"] if k not in config_files.statistics()]:
        raise ConfigError(f"statistics.{unknown[0]}: {nearest(unknown[0], config_files.statistics())}")
    text = str(config["model"])
    for key in config["model"]:
        if key not in _OF_MODELS and not re.search(rf"\$\{{(\.*|model\.){key}\}}", text):
            raise ConfigError(f"model.{key}: nobody reads it; {nearest(key, _OF_MODELS)}")


def check_presets(configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse presets of one grid that differ in what is said once for all cells.

    Args:
        configs: name of a preset -> a composed configuration.
    """
    for key in (*_NO_AXES, "statistics"):
        if len({str(config[key]) for config in configs.values()}) > 1:
            raise ConfigError(
                f"experiment={','.join(configs)}: they differ in {key}, which is no axis of a grid; run them "
                "one after the other"
            )


def _only_metrics(value: str, config_dirs: Sequence[str]) -> str:
    """Return the override for `metrics=...`: metrics, sets and import paths, with or without brackets."""
    names = [name.strip(" '\"") for name in value.strip("[] ").split(",")]
    paths = metric_paths([name for name in names if name], [Path(folder) for folder in config_dirs])
    if not paths:
        raise ConfigError(f"metrics={value}: expected at least one metric, such as metrics=ndcg")
    return f"++metrics={{only:{{{','.join(f'{name}:{path}' for name, path in paths.items())}}}}}"


def _no_list(key: str, value: str) -> str:
    names = value.strip("[]").replace(" ", "")
    return f"{key}={value}: several are several values of an axis, without brackets: {key}={names}"


def unreadable(override: str) -> str:
    """One line for a word that Hydra's grammar does not take."""
    key, _, value = override.partition("=")
    if "" in [part.strip() for part in value.split(",")] and "'" not in value and '"' not in value:
        return f"{override!r} cannot be read: it has a comma with nothing before or after it"
    return (
        f"{override!r} cannot be read: a value with spaces, letters beyond ASCII or signs such as ; ( ) "
        f"wants quotes of its own inside those of the shell, as in \"{key}='{value}'\""
    )
