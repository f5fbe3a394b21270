"""The words of a command line: flags, overrides, the jobs of their grid, and mistakes that Hydra accepts."""

from __future__ import annotations

import itertools
import math
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff import config_files
from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, closest, nearest, shortened

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

Job = tuple[str, ...]
"""The overrides of one composition, such as ("model=als", "seed=1")."""

Compose = Callable[[Sequence[str]], "DictConfig"]
"""Return the configuration of a job."""

_CHOSEN = ("dataset", "split", "model", "metrics", "tune")  # groups of which every cell has one option

_WITH_PARAMETERS = ("model", "split", "dataset", "tune")

SETTINGS = (
    *("k", "metrics", "results_dir", "fresh", "rerun", "isolate", "debug", "save_model", "workers"),
    *("time_limit", "memory_limit", "mlflow", "baselines"),
    *(f"statistics.{key}" for key in ("test", "question", "correction", "resamples", "seed", "confidence")),
)
"""What is set once for all cells of a grid: how to run and to report."""

_MODEL_KEYS = ("name", "build", "space")

GLOBAL = "bakeoff does not read it there; a preset begins with the line `# @package _global_`"


@dataclass(frozen=True)
class CommandLine:
    """The words of a command, sorted.

    Args:
        words: as they are recorded.
        overrides: `key=value`, in their order.
        config_dirs: folders with options of the user's own, the first that has an option wins.
        config_name: the primary configuration; None for the shipped one.
        cfg: print this part of the configuration in place of running: job, hydra or all.
        package: print this key of it only.
        resolve: resolve interpolations before printing.
    """

    words: tuple[str, ...] = ()
    overrides: Job = ()
    config_dirs: tuple[str, ...] = ()
    config_name: str | None = None
    cfg: str | None = None
    package: str | None = None
    resolve: bool = False

    @property
    def search_path(self) -> tuple[Path, ...]:
        """The folders of options, the user's own first."""
        return config_files.search_path(self.config_dirs)


def command_line(overrides: Sequence[str], **flags: Any) -> CommandLine:
    """Return the overrides of a command, checked, with its flags: the other fields of CommandLine.

    Raises:
        ConfigError: a word that is no override, or a metric that does not exist.
    """
    for position, word in enumerate(overrides):
        _check_word(word, overrides[:position], overrides[position:])
    line = CommandLine(**flags)
    path = line.search_path
    rewritten = (_only_metrics(word, path) if word.startswith("metrics=") else word for word in overrides)
    return replace(line, overrides=tuple(map(_quoted_command, rewritten)))


def _quoted_command(word: str) -> str:
    """Return `model.run=COMMAND` as a quoted value: braces, spaces and commas are the command's own."""
    key, _, value = word.partition("=")
    if key not in ("model.run", "command.run") or value[:1] in ("'", '"', ""):
        return word
    return f"{key}='{value.replace(chr(39), chr(92) + chr(39))}'"


MAX_LETTERS = 10_000
"""Length of a word that Hydra's grammar parses within a second."""


def _check_word(word: str, before: Sequence[str], rest: Sequence[str]) -> None:
    if len(word) > MAX_LETTERS:
        raise ConfigError(
            f"{shortened(word)}: {len(word):,} letters; expected at most {MAX_LETTERS:,}; YAML may hold more"
        )
    key, equals, value = word.partition("=")
    if word.startswith("~"):
        return
    if not (key.strip("+ ") and equals):
        if before and (_is_open(before[-1]) or word.startswith(",")):
            parts = [before[-1], *itertools.takewhile(lambda w: "=" not in w, rest)]
            raise ConfigError(
                f"'{' '.join(parts)}': the shell splits a value at its spaces; "
                f"write {shlex.quote(''.join(parts))}"
            )
        hint = f"; {own_file(word)}" if is_data_file(word) else ""
        if not equals and (groups := config_files.groups_with(word)):
            hint = f"; write {groups[0]}={word}"
        raise ConfigError(f"{word!r}: expected key=value{hint}")
    if key == "dataset" and is_data_file(value):
        raise ConfigError(f"{word}: not the name of a data set; {own_file(value)}")
    if value == "null" and key in _CHOSEN:
        raise ConfigError(f"{word}: expected a name; {nearest(value, config_files.options(key))}")
    if value.startswith("[") and key in _CHOSEN and key != "metrics":
        names = value.strip("[]").replace(" ", "")
        raise ConfigError(f"{word}: several options are a sweep, written without brackets: {key}={names}")


def is_data_file(word: str) -> bool:
    """Return whether a word looks like the path of a table."""
    return Path(word.removesuffix(".gz")).suffix in (".csv", ".tsv", ".txt", ".dat", ".parquet", ".zip")


def own_file(path: str) -> str:
    """Return what to write for a file of one's own."""
    columns = "dataset.user=COLUMN dataset.item=COLUMN"
    return f"write dataset=csv dataset.path={shlex.quote(path)} {columns}"


def _is_open(word: str) -> bool:
    """Return whether a value ends with a comma or inside brackets."""
    return word.endswith(",") or any(word.count(a) > word.count(b) for a, b in ("[]", "{}", "()"))


def _only_metrics(word: str, path: Sequence[Path]) -> str:
    """Return the override for `metrics=...`: metrics, sets and import paths, with or without brackets."""
    from bakeoff.evaluation.catalogue import metric_paths

    value = word.removeprefix("metrics=")
    names = [name.strip(" '\"") for name in value.strip("[] ").split(",")]
    metrics = metric_paths([name for name in names if name], path)
    if not metrics:
        raise ConfigError(f"metrics={value}: expected at least one metric, such as metrics=ndcg")
    return f"++metrics={{only:{{{','.join(f'{name}:{path}' for name, path in metrics.items())}}}}}"


def root_of(override: Override) -> str:
    """Return the first part of the key of an override, such as `model` of `model.build.factors=64`."""
    return re.split(r"[./@]", override.key_or_group)[0]


def is_for_master(override: Override) -> bool:
    """Return whether an override holds for the whole grid, Hydra's own settings included.

    Parameters of an option are left to the jobs: `model.build.l2=300` is wrong for the default model.
    """
    if root_of(override) == "hydra":
        return True
    top_level = override.key_or_group in config_files.roots()
    return top_level and not override.is_sweep_override()


def check_overrides(overrides: Iterable[Override]) -> None:
    """Check for what Hydra accepts: unknown keys that are added, and groups that are left out.

    Raises:
        ConfigError: the first of them.
    """
    roots = {*config_files.roots(), "hydra"}
    for override in overrides:
        key, root = override.key_or_group, root_of(override)
        if override.is_delete() and root == key:
            raise ConfigError(f"~{key}: {key} cannot be left out")
        if (override.is_add() or override.is_force_add()) and root not in roots and "." not in key:
            raise ConfigError(f"{key}: there is no such option; {nearest(key, roots)}")


class Grid:
    """The jobs of a command: the product of its overrides, as in any sweep of Hydra's.

    `OPTION.PARAMETER=...`, with the name of a model (data set, split) of the grid in front, applies to the
    jobs that choose this option; several such lists multiply. Parameters of a tuner apply to the jobs that
    tune, and `model.path` to the models that read a file.

    Args:
        preset: overrides of a preset, under `hydra.sweeper.params`.
        overrides: overrides of the command; of two for one key it wins.
        compose: returns the configuration of a job.
        path: the folders of options.

    Raises:
        ConfigError: an override is for nothing in this grid.
    """

    def __init__(
        self,
        preset: Sequence[Override],
        overrides: Sequence[Override],
        compose: Compose,
        path: Sequence[Path] | None = None,
    ) -> None:
        both = [*preset, *overrides]
        check_overrides(both)
        self._compose, self._path = compose, path
        self._keys = cache(self._keys_of)
        roots = set(config_files.roots())
        self._jobs = _product([o for o in both if root_of(o) in roots])
        self._own: dict[tuple[str, str], dict[str, list[str]]] = {}
        self._unused: dict[tuple[str, str], str] = {}
        narrowed = {o.key_or_group for o in overrides}  # `experiment=NAME model=als` leaves others of it out
        for override in both:
            if root_of(override) in roots:
                continue
            group, option, words = self._resolve(override)
            self._own.setdefault((group, option), {})[_key(words[0])] = words
            if override not in preset or group not in narrowed:
                self._unused.setdefault((group, option), override.key_or_group)

    def jobs(self) -> list[Job]:
        """Return all jobs but those of baselines."""
        return list(dict.fromkeys(job for common in self._jobs for job in self.expand(common)))

    def expand(self, job: Job) -> Iterator[Job]:
        """Yield a job once for each combination of the values that its own options are given."""
        job = tuple(word for word in job if not self._is_foreign(word, job))
        lists: list[list[str]] = []
        for (group, option), values in self._own.items():
            if self.choice(job, group) == option:
                self._unused.pop((group, option), None)
                lists += values.values()
        for own in itertools.product(*lists):
            keys = set(map(_key, own))
            yield (*(word for word in job if _key(word) not in keys), *own)

    def check_all_used(self) -> None:
        """Raise ConfigError for values that are given to an option which no job chooses."""
        for (group, option), key in self._unused.items():
            choices = sorted(self.choices(group))
            raise ConfigError(
                f"{key}: no cell of this grid has {group} {option!r}; "
                f"write {group}={','.join([*choices, option])}, or leave {key} out"
            )

    def choice(self, job: Job, group: str) -> str:
        """Return the option of a group that a job chooses."""
        named = [word.partition("=")[2] for word in job if _key(word) == group]
        if named:
            return named[-1]
        options = tuple(word for word in job if _key(word) in config_files.groups())
        return str(self._compose(options).hydra.runtime.choices[group])

    def choices(self, group: str) -> set[str]:
        """Return the options of a group among all jobs."""
        return {self.choice(job, group) for job in self._jobs}

    def _is_foreign(self, word: str, job: Job) -> bool:
        """Return whether an override is for other jobs of the grid: those that tune, or that read a file."""
        group, _, parameter = _key(word).partition(".")
        if not parameter or group not in ("tune", "model") or (group == "model" and parameter != "path"):
            return False

        def takes(option: str) -> bool:
            keys = self._keys(group, option)
            return bool(keys) if group == "tune" else parameter in keys

        chosen = self.choice(job, group)
        return not takes(chosen) and any(takes(option) for option in self.choices(group) - {chosen})

    def _keys_of(self, group: str, option: str) -> tuple[str, ...]:
        """Return the keys of an option; those of a model's `build` come as `build.PARAMETER`, too."""
        node = self._compose((f"{group}={option}",))[group]
        keys = [str(key) for key in node or ()]
        inner = [f"build.{key}" for key in node.build] if group == "model" and "build" in keys else []
        return tuple(key for key in (*inner, *keys) if not key.endswith("_target_"))

    def _resolve(self, override: Override) -> tuple[str, str, list[str]]:
        """Return group and option of `OPTION.PARAMETER=values`, and one word for each value.

        Raises:
            ConfigError: there is no such option, or it lacks the parameter.
        """
        option, _, parameter = override.key_or_group.partition(".")
        prefix = "+" * (override.is_add() + 2 * override.is_force_add())
        groups = [g for g in _WITH_PARAMETERS if parameter and option in config_files.options(g, self._path)]
        if not groups:
            raise ConfigError(self._unknown(override))
        first = parameter.partition(".")[0]
        matches = []
        for group in groups:
            keys = self._keys(group, option)
            in_build = f"build.{first}" in keys or (prefix and group == "model" and first not in keys)
            if in_build or first in keys or prefix:
                matches.append(f"{group}.{'build.' if in_build else ''}{parameter}")
        if not matches:
            names = {k.removeprefix("build.") for g in groups for k in self._keys(g, option)}
            names -= {"name", "build"}
            hint = nearest(first, names) if names else "it has none"
            raise ConfigError(
                f"{override.key_or_group}: {' and '.join(groups)} {option!r} has no option {first!r}; {hint}"
            )
        if len(matches) > 1:
            chosen = [m for m in matches if option in self.choices(m.partition(".")[0])]
            if len(chosen) != 1:
                raise ConfigError(
                    f"{override.key_or_group}: {option!r} names several; write {' or '.join(matches)}"
                )
            matches = chosen
        values = [word.partition("=")[2] for (word,) in _product([override])]
        return matches[0].partition(".")[0], option, [f"{prefix}{matches[0]}={value}" for value in values]

    def spelling(self, group: str, parameter: str) -> str:
        """Return the key that sets a parameter of this grid's options; '' where none of them has it.

        It is `model.build.PARAMETER` (`split.PARAMETER`) if all have it, else `OPTION.PARAMETER` of the first
        that has it.
        """
        if group not in _WITH_PARAMETERS:
            return ""
        choices = sorted(self.choices(group))
        path = f"build.{parameter}" if group == "model" else parameter
        having = [option for option in choices if path in self._keys(group, option)]
        if not having:
            return ""
        return f"{group}.{path}" if having == choices else f"{having[0]}.{parameter}"

    def _unknown(self, override: Override) -> str:
        """Return the message for a key that is neither a setting nor a group nor an option."""
        key, value = override.key_or_group, (override.input_line or "").partition("=")[2]
        option, dot, parameter = key.partition(".")
        message = f"{key}: there is no such option"
        roots = set(config_files.roots())
        if dot:
            names = roots.union(*(self.choices(group) for group in _WITH_PARAMETERS))
            similar = closest(option, names)
            return (
                f"{message}; {f'write {similar}.{parameter}={value}' if similar else nearest(option, roots)}"
            )
        if own := next(filter(None, (self.spelling(group, key) for group in _WITH_PARAMETERS)), ""):
            return f"{message}; write {own}={value}"
        for group in _WITH_PARAMETERS:
            options = config_files.options(group, self._path)
            if key in options:
                return f"{message}; write {group}={key}, or {key}.PARAMETER={value}"
            having = [o for o in options if key in config_files.parameters(group, o, self._path)]
            if having:
                return f"{message}; {group} {having[0]!r} has it: {having[0]}.{key}={value}"
        return f"{message}; {nearest(key, roots)}"


MAX_CELLS = 100_000


def _product(overrides: Sequence[Override]) -> list[Job]:
    """Return the combinations of the values of overrides.

    Raises:
        ConfigError: there is none, or there are more than MAX_CELLS.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.types import RangeSweep

    size = 1
    for override in (o for o in overrides if o.is_discrete_sweep()):
        value = override.value()
        values = value.range() if isinstance(value, RangeSweep) else override.sweep_iterator()
        size *= sum(1 for _ in itertools.islice(values, MAX_CELLS + 1))
        if not 0 < size <= MAX_CELLS:
            expected = "no cell" if not size else f"more than {MAX_CELLS:,} cells"
            raise ConfigError(f"{override.get_key_element()}: its values make a grid of {expected}")
    return [tuple(job) for batch in BasicSweeper.split_arguments(list(overrides), None) for job in batch]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def check_values(value: Any, where: str = "") -> None:
    """Check that a configuration is plain: texts as keys, and no value that JSON cannot hold.

    Args:
        value: the configuration, or a part of it.
        where: the key of the part.

    Raises:
        ConfigError: the first key or value that is not.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{where or 'the configuration'}: the key {key!r} is not a text; quote it")
            check_values(inner, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for inner in value:
            check_values(inner, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}={value}: expected a finite number")
    elif not (value is None or isinstance(value, str | int | float)) or "\0" in str(value):
        raise ConfigError(f"{where}={shortened(value)}: expected a text, a number, true, false or null")


def check_keys(config: Config) -> None:
    """Check for what the user's YAML files set and bakeoff does not read.

    Args:
        config: a composed configuration as plain values, interpolations as they are written.

    Raises:
        ConfigError: the first such key.
    """
    roots = {*config_files.roots(), "hydra"}
    for key in config:
        if key not in roots:
            raise ConfigError(f"{key}: there is no such option, and a preset sets it; {nearest(key, roots)}")
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
        if key not in _MODEL_KEYS and not re.search(rf"\$\{{(\.*|model\.){key}\}}", text):
            raise ConfigError(f"model.{key}: bakeoff does not read it; {nearest(key, _MODEL_KEYS)}")


def check_settings(configs: Iterable[Config]) -> None:
    """Check that all cells of a grid, and the presets it takes, agree in SETTINGS.

    Args:
        configs: the values of SETTINGS, for each cell.

    Raises:
        ConfigError: the first setting with several values.
    """
    configs = list(configs)
    for key in SETTINGS:
        values = list({str(config[key]): config[key] for config in configs}.values())
        if len(values) > 1:
            advice = "one value"
            if key in ("k", "baselines"):
                entries = (e for value in values for e in (value if isinstance(value, list) else [value]))
                listed = f"{key}=[{','.join(dict.fromkeys(map(str, entries)))}]"
                advice = f"a list, as in {shlex.quote(listed)}"
            raise ConfigError(f"{key!r} is not swept: give {advice}, the same for all cells and presets")
