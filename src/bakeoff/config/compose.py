"""The Hydra edge: command-line words become cells, and nothing behind this module knows of Hydra."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff import commands, config_files
from bakeoff.config import overrides as words_of
from bakeoff.config.hydra_errors import explained
from bakeoff.config.settings import settings
from bakeoff.config.variants import variant
from bakeoff.errors import BakeoffError, ConfigError
from bakeoff.queries.params_from import with_params_from
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter, with_content_hashes
from bakeoff.run.runner import Workspace, run_cell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store


@dataclass
class Session:
    """One command: what was asked for, the folders of its experiments, and the exit code it earned.

    `single` refuses more than one experiment.
    """

    verb: str
    command: str
    single: bool = False
    folders: tuple[Path, ...] = ()
    exit_code: int = 0


_session: ContextVar[Session] = ContextVar("session")


def main(verb: str, words: Sequence[str]) -> int:
    """Run a verb that takes Hydra's words (run, plan, describe); return its exit code.

    Raises:
        UsageError: with one line for people.
    """
    return run_session(Session(verb, command_of(verb, words)), words).exit_code


def command_of(verb: str, words: Sequence[str]) -> str:
    """The words as a line for a shell."""
    return shlex.join(["bakeoff", verb, *words])


def run_session(session: Session, words: Sequence[str]) -> Session:
    """Run a verb; the process, which may be a notebook with a Hydra of its own, is left as it was found."""
    with _aside():
        return _run_session(session, words)


@contextmanager
def _aside() -> Iterator[None]:
    """Put what is global in Hydra out of the way, and back."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    known, config = GlobalHydra.instance(), HydraConfig.instance()
    before, told = (known.hydra, config.cfg), os.environ.get("HYDRA_FULL_ERROR")
    known.clear()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come out as they are; the edge makes one line of them
    try:
        yield
    finally:
        known.hydra, config.cfg = before
        if told is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = told


def _run_session(session: Session, words: Sequence[str]) -> Session:
    import hydra

    token = _session.set(session)
    argv, sys.argv = sys.argv, ["bakeoff", *_arguments(words_of.ordered(words))]
    try:
        hydra.main(version_base="1.3", config_path=str(config_files.folder()), config_name="config")(
            _one_job
        )()
    except BakeoffError:
        raise
    except Exception as error:
        line = explained(error, words_of.folders(words))
        if line is None:
            raise
        raise ConfigError(line) from error
    finally:
        sys.argv = argv
        _session.reset(token)
    return session


def _arguments(words: Sequence[str]) -> list[str]:
    """Return the arguments for Hydra: of a multirun, or of `--cfg`, which prints one job's configuration."""
    if any(word.partition("=")[0] in ("--cfg", "-c") for word in words):
        return list(words)
    return ["--multirun", *map(_late, words)]


def _late(word: str) -> str:
    """A knob of a group as an axis of one value.

    Hydra tries what is no axis on the group's default before it composes a job: in `model=warp,bpr` a knob
    that both have would be refused because the default model lacks it.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    key, _, value = word.partition("=")
    group, dot, _ = key.lstrip("+").partition(".")
    if word.startswith(("-", "~")) or not dot or group not in config_files.groups():
        return word
    late, parser = f"{key}=choice({value})", OverridesParser.create()
    try:
        (override, _) = parser.parse_overrides([word, late])
    except OverrideParseException:
        return word  # a sweep, or null, of which Hydra makes no axis; or it is refused where all are read
    return word if override.is_sweep_override() else late


def execute(
    jobs: Sequence[Sequence[str]],
    compose: Callable[[Sequence[str]], Any],
    launch: Callable[[Sequence[Sequence[str]]], None] | None,
) -> int:
    """Called by the sweeper with the overrides of every job of the grid."""
    session = _session.get()
    words_of.check(jobs)
    composed = [(overrides, compose(overrides)) for overrides in jobs]
    if session.verb != "describe":
        composed += _baselines(composed, compose)
    identities: dict[str, Any] = {}
    asked: dict[str, list[CellRequest]] = {}
    words: dict[str, Sequence[str]] = {}
    _check_written(config for _, config in composed)
    told = settings(_plain(composed[0][1]))
    for overrides, config in composed:
        cell = with_content_hashes(to_cell(config), identities)
        cells = asked.setdefault(experiment_name(config, cell), [])
        if all(a.order != CellRequest(cell.key, cell).order for a in cells):
            cells.append(CellRequest(cell.key, cell))
        words.setdefault(cell.key, overrides)
    session.folders = tuple(Path(told.results_dir) / name for name in asked)
    if session.single and len(asked) > 1:
        raise ConfigError(f"this makes {len(asked)} experiments ({', '.join(asked)}): give one name=...")

    def elsewhere(missing: Sequence[CellRequest]) -> None:
        assert launch is not None
        launch([words[a.key] for a in missing])

    request = commands.Request(
        experiments=asked,
        results=Path(told.results_dir),
        wanted=told.wanted,
        options=told.options,
        fresh=told.fresh,
        rules=told.rules,
        mlflow=told.mlflow,
        command=session.command,
        launch=None if launch is None else elsewhere,
    )
    session.exit_code = commands.VERBS[session.verb](request)
    return session.exit_code


def _check_written(configs: Iterable[Any]) -> None:
    """Check what each YAML brings, once for each choice of them."""
    chosen = {str(config.hydra.runtime.choices): config for config in configs}
    presets = {}
    for config in chosen.values():
        written = _plain(config, resolve=False)
        words_of.check_keys(written)
        presets[str(config.hydra.runtime.choices.get("experiment"))] = written
    words_of.check_presets(presets)


def _one_job(config: Any) -> None:
    """What a launcher of Hydra's (joblib, Slurm, Ray) runs in its worker."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    known = HydraConfig.instance().cfg
    assert known is not None
    config = OmegaConf.merge(OmegaConf.create(OmegaConf.to_container(config)), known)  # Hydra hands it apart
    told = settings(_plain(config))
    workspace = Workspace(Store(Path(told.results_dir) / "store"))
    run_cell(with_content_hashes(to_cell(config)), workspace, told.wanted, debug=told.options.debug)


def to_cell(config: Any) -> Cell:
    """The cell that a composed configuration describes; seeds without effect are kept for its row."""
    plain = _plain(config)
    dataset, split, model = dict(plain["dataset"]), dict(plain["split"]), dict(plain["model"])
    if plain["params_from"] is not None:
        model = with_params_from(model, str(plain["params_from"]), Path(plain["results_dir"]), _given(config))
    source = build_source(dataset)
    dataset["name"] = source.name
    build_splitter(split), build_model(model)
    tune = plain["tune"] or None
    if tune and config.hydra.runtime.choices.get("tune") == "none":
        raise ConfigError(f"tune.{next(iter(tune))}: nothing is tuned; add tune=optuna")
    if tune:
        from bakeoff.tuning.spec import Tuning

        Tuning.of(tune)  # also where a model has no space to search
    cell = Cell(
        dataset=dataset,
        split=split,
        model=model,
        tune=tune if tune and model.get("space") else None,
        seed=plain["seed"],
        split_seed=plain["split_seed"],
        depth=plain["depth"],
        variant=variant("model", config, model.get("build", {}), "build"),
        split_variant=variant("split", config, split),
        dataset_variant=variant("dataset", config, dataset),
    )
    if cell.tune is not None:
        from bakeoff.tuning import check

        check(cell)
    return cell


def _given(config: Any) -> set[str]:
    """The hyperparameters that the command names."""
    keys = (str(o).lstrip("+~").partition("=")[0] for o in config.hydra.overrides.task)
    return {k.removeprefix("model.build.") for k in keys if k.startswith("model.build.")}


def experiment_name(config: Any, cell: Cell) -> str:
    name = str(_plain(config).get("name") or cell.dataset["name"])
    if not name or name.startswith(".") or "/" in name or "\\" in name or name == "store":
        raise ConfigError(f"name={name!r}: expected the name of a folder, without slashes, and not 'store'")
    return name


def _plain(config: Any, *, resolve: bool = True) -> dict[str, Any]:
    from omegaconf import OmegaConf

    task = OmegaConf.masked_copy(config, [k for k in config if k != "hydra"])
    plain = OmegaConf.to_container(task, resolve=resolve, throw_on_missing=resolve)
    assert isinstance(plain, dict)
    return {str(k): v for k, v in plain.items()}


def _baselines(composed: Sequence[tuple[Sequence[str], Any]], compose: Callable[[Sequence[str]], Any]) -> Any:
    """The baselines of every combination of the other axes; overrides under `model.` do not reach them."""
    found: dict[tuple[str, ...], Any] = {}
    asked = {frozenset(overrides) for overrides, _ in composed}
    for overrides, config in composed:
        others = [o for o in overrides if not _is_model(o)]
        for name in _listed("baselines", config.baselines):
            words = (*others, f"model={name}")
            if words not in found and frozenset(words) not in asked:
                found[words] = compose(words)
    return list(found.items())


def _listed(key: str, value: Any) -> list[str]:
    names = [] if value is None else [value] if isinstance(value, str) else list(value)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{key}={names}: expected names of models, as in {key}=[popularity,random]")
    return names


def _is_model(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+~")
    return key in ("model", "params_from") or key.startswith("model.")
