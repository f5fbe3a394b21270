"""The YAML files of configurations: the folders they stand in and the names they give, read without Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from bakeoff.errors import ConfigError, nearest

Config = Mapping[str, Any]
"""Part of a configuration as plain values: an option, the arguments of a constructor, a search space."""


def folder() -> Path:
    """Return the folder of the shipped files: inside an installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "conf"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "conf"


def search_path(config_dirs: Iterable[str | Path] = ()) -> tuple[Path, ...]:
    """Return the folders that options are read from, each once; the first that has an option wins.

    They are the folders given (of `--config-dir`), `conf` in the working directory, and the shipped one.
    """
    candidates = [*map(Path, config_dirs), Path("conf"), folder()]
    return tuple({path.resolve(): path for path in candidates if path.is_dir()}.values())


def groups() -> list[str]:
    """Return the names of the groups that people choose from."""
    return sorted(p.name for p in folder().iterdir() if p.is_dir() and p.name != "hydra")


def options(group: str, path: Sequence[Path] | None = None) -> list[str]:
    """Return the names of the options of a group."""
    return sorted(
        {p.stem for root in path or (folder(),) for p in (root / group).glob("*.yaml") if p.is_file()}
    )


def groups_with(name: str) -> list[str]:
    """Return the groups that have an option of this name, those that people name most first."""
    first = ("model", "dataset", "split")
    ordered = (*first, *(group for group in groups() if group not in first))
    return [group for group in ordered if name in options(group, search_path())]


def option_file(group: str, name: str, path: Sequence[Path] | None = None) -> Path:
    """Return the file of an option.

    Raises:
        ConfigError: there is no such option.
    """
    for root in path or (folder(),):
        if (file := root / group / f"{name}.yaml").is_file():
            return file
    raise ConfigError(f"{group}={name}: {nearest(name, options(group, path))}")


def option(group: str, name: str, path: Sequence[Path] | None = None) -> dict[str, Any]:
    """Return an option as plain values, with interpolations as they are written.

    Raises:
        ConfigError: there is no such option.
    """
    return read(option_file(group, name, path))


def parameters(group: str, name: str, path: Sequence[Path] | None = None) -> list[str]:
    """Return the keys of an option's file that are not interpolations; of a model, those under `build`."""
    content = option(group, name, path)
    values = content.get("build") or content if group == "model" else content
    return [str(key) for key, value in values.items() if not str(value).startswith("${")]


@cache
def primary() -> Config:
    """Return the content of the shipped `config.yaml`, the defaults of every command."""
    return read(folder() / "config.yaml")


def default(group: str) -> str:
    """Return the option of a group that `config.yaml` chooses; "" for none."""
    chosen = [entry.get(group) for entry in primary()["defaults"] if isinstance(entry, dict)]
    return next((str(name) for name in chosen if name), "")


def roots() -> list[str]:
    """Return the keys that a command may set at the top: groups and scalars."""
    return sorted([*groups(), *scalars()])


def scalars() -> list[str]:
    """Return the keys of `config.yaml` that are no groups."""
    return sorted(k for k in primary() if k not in ("defaults", "hydra"))


def comments() -> dict[str, str]:
    """Return the scalar keys of `config.yaml` in their order there, each with its default and its comment."""
    lines = (folder() / "config.yaml").read_text(encoding="utf-8").splitlines()
    scalars = (re.fullmatch(r"(\w+):[ ]+([^#]*[^#\s])(?:\s+#\s*(.*))?", line) for line in lines)
    return {m[1]: f"{m[3] or ''} (default: {m[2]})".strip() for m in scalars if m is not None}


def statistics() -> Config:
    """Return the default arguments of `TestConfig`."""
    return cast("Config", primary()["statistics"])


def flat(config: Config) -> Iterator[tuple[str, Any]]:
    """Yield the values of a configuration with their keys, nested ones with dots."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{inner}", v) for inner, v in flat(value))
        else:
            yield str(key), value


def read(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file as plain values.

    Raises:
        ConfigError: it cannot be read, or it holds no keys with values.
    """
    import yaml

    with reading(path):
        check_size(path)
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys with their values, as in `name: value`")
    return content


MAX_BYTES, MAX_VALUES = 1_000_000, 100_000
"""Bounds of a YAML file: its bytes, and its values where each alias counts as what it stands for."""


def check_size(path: Path) -> None:
    """Check the bounds of a YAML file before anything is made of it: aliases of aliases grow without end.

    Raises:
        ConfigError: it is larger.
    """
    import yaml

    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES / 1e6:g} MB; expected a configuration")
    content = path.read_bytes()
    if b"*" not in content:
        return
    sizes: dict[str, int] = {}  # of what an anchor names
    nested: list[tuple[str | None, int]] = [
        (None, 0)
    ]  # anchor and values so far of each open list or mapping
    for event in yaml.parse(content, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            nested.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = nested.pop()
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in nested):
                raise ConfigError(f"{path}: *{event.anchor} stands inside of &{event.anchor}, which it names")
            anchor, size = None, sizes.get(event.anchor, 0)
        else:
            anchor, size = getattr(event, "anchor", None), 1
        if anchor is not None:
            sizes[anchor] = size
        nested[-1] = (nested[-1][0], nested[-1][1] + size)
        if nested[-1][1] > MAX_VALUES:
            raise ConfigError(f"{path}: its aliases stand for more than {MAX_VALUES:,} values")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what reading a YAML file raises into one line that names it.

    Raises:
        ConfigError: in place of any other error.
    """
    import yaml

    try:
        yield
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {error.problem or error.context}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: its values are nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason})") from error
    except Exception as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error).partition("\n")[0]
        raise ConfigError(f"{path}: {reason}") from error
