"""Compose configurations by Hydra and turn them into cells; nothing behind this module knows of Hydra."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bakeoff import commands, config_files
from bakeoff.config import overrides as command_line
from bakeoff.config.hydra_errors import explain
from bakeoff.config.overrides import CommandLine, Compose, Grid, Job
from bakeoff.config.settings import Settings, check_axes
from bakeoff.config_files import Config
from bakeoff.errors import BakeoffError, ConfigError, check_file_name, check_name
from bakeoff.hashing import identity
from bakeoff.queries.params_from import with_params_from
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter, with_content_hashes
from bakeoff.run.runner import Workspace, run_cell
from bakeoff.secret import read_secret, without_credentials
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.override_parser.types import Override
    from hydra.plugins.config_source import ConfigResult, ConfigSource
    from omegaconf import DictConfig

_PRIMARY = "_bakeoff_"
"""Name of the primary configuration in Hydra's store, which a `config.yaml` of the user's cannot replace."""


@dataclass
class Session:
    """A command that takes Hydra's words, while it runs.

    Args:
        verb: run, plan or describe.
        line: its words.
        form, quiet: of the request.
        single: refuse more than one experiment.
        folders: of its experiments, when they are composed.
        exit_code: of the command, at its end.
    """

    verb: str
    line: CommandLine
    form: commands.Form = "table"
    quiet: bool = False
    single: bool = False
    folders: tuple[Path, ...] = ()
    exit_code: int = 0
    grid: Grid | None = None


_session: ContextVar[Session] = ContextVar("session")


def run_session(session: Session) -> Session:
    """Run a command and return its session; a notebook's own state of Hydra is preserved.

    Raises:
        UsageError: the words or the configuration are wrong.
    """
    token = _session.set(session)
    try:
        with _hydra_state_preserved():
            _sweep(session.line)
    except BakeoffError:
        raise
    except Exception as error:
        message = explain(error, session.line, session.grid)
        if message is None:
            raise
        raise ConfigError(message) from error
    finally:
        _session.reset(token)
    return session


@contextmanager
def _hydra_state_preserved() -> Iterator[None]:
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins

    Plugins.instance()  # registers the sources
    sources = SourcesRegistry.instance().types
    before = GlobalHydra.instance().hydra, HydraConfig.instance().cfg, sources["file"]
    GlobalHydra.instance().clear()
    sources["file"] = _checked_source()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "provider=.* is not available")  # a folder of hydra.searchpath
            yield
    finally:  # a launcher may have put other instances in their places
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg, sources["file"] = before


@cache
def _checked_source() -> type[ConfigSource]:
    """Return Hydra's reader of YAML files, with the bounds and the errors of ours."""
    from hydra._internal.core_plugins import file_config_source

    class FileConfigSource(file_config_source.FileConfigSource):  # plug-ins are registered again by this name
        def load_config(self, config_path: str) -> ConfigResult:
            path = Path(self.path) / self._normalize_file_name(config_path)
            with config_files.reading(path):
                config_files.check_size(path)
                return super().load_config(config_path)

    return FileConfigSource


def _sweep(line: CommandLine) -> None:
    """Compose what holds for the whole grid, and let the configured sweeper compose and run the jobs.

    As `hydra.main` does with --multirun, except that it would try each override on the default options first.
    """
    from hydra import version
    from hydra._internal.callbacks import Callbacks
    from hydra._internal.hydra import Hydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext, RunMode
    from omegaconf import OmegaConf

    if "" not in sys.path:
        sys.path.insert(0, "")  # a user's own class is imported from the working directory
    version.setbase("1.3")
    OmegaConf.register_new_resolver("secret", read_secret, replace=True)
    hydra = Hydra.create_main_hydra2("bakeoff", _search_path(line))
    loader, name = hydra.config_loader, line.config_name or _PRIMARY
    overrides = OverridesParser.create(loader).parse_overrides(list(line.overrides))
    config = hydra.compose_config(
        config_name=name,
        overrides=[str(o.input_line) for o in overrides if command_line.is_for_master(o)],
        run_mode=RunMode.MULTIRUN,
        with_log_configuration=True,
    )
    context = HydraContext(config_loader=loader, callbacks=Callbacks(config))
    context.callbacks.on_multirun_start(config=config, config_name=name)
    sweeper = Plugins.instance().instantiate_sweeper(
        config=config, hydra_context=context, task_function=_run_job
    )
    sweeper.sweep([str(o.input_line) for o in overrides if not o.is_hydra_override()])
    context.callbacks.on_multirun_end(config=config, config_name=name)


def _search_path(line: CommandLine) -> ConfigSearchPath:
    """Return Hydra's search path: the user's own folders come before the shipped one."""
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    for path in line.config_dirs:
        if not Path(path).is_dir():
            raise ConfigError(f"--config-dir {path}: there is no such folder")
    shipped = config_files.folder()
    ConfigStore.instance().store(_PRIMARY, OmegaConf.load(shipped / "config.yaml"), provider="bakeoff")
    *own, last = (str(path.resolve()) for path in line.search_path)
    search_path = create_config_search_path(last)
    for path in own:
        search_path.prepend("user", path, anchor="main")
    return search_path


def execute(
    preset: Sequence[Override],
    overrides: Sequence[Override],
    compose: Compose,
    launch: Callable[[Sequence[Sequence[str]]], None] | None,
) -> int:
    """Run the verb of this session on the cells of a grid; called by the sweeper.

    Args:
        preset: overrides of a preset.
        overrides: overrides of the command.
        compose: returns the configuration of a job.
        launch: runs jobs by a launcher of Hydra's; None runs the cells in this process.
    """
    session = _session.get()
    grid = session.grid = Grid(preset, overrides, compose, session.line.search_path)
    composed = {job: compose(job) for job in grid.jobs()}
    if session.line.cfg is not None:
        grid.check_all_used()
        _print_configs(composed, session.line)
        return 0
    if session.verb != "describe":
        composed |= {job: compose(job) for job in _baselines(grid, composed)}
    grid.check_all_used()
    _check(composed.values())
    identities: dict[str, Any] = {}
    experiments: dict[str, list[CellRequest]] = {}
    jobs: dict[str, Job] = {}
    settings = Settings.of(_plain(next(iter(composed.values()))))
    for job, config in composed.items():
        cell = with_content_hashes(to_cell(config), identities)
        requests = experiments.setdefault(experiment_name(config, cell), [])
        requested = CellRequest(cell.key, cell)
        if all(r.order != requested.order for r in requests):
            requests.append(requested)
        jobs.setdefault(cell.key, job)
    session.folders = tuple(settings.results_dir / name for name in experiments)
    if session.single and len(experiments) > 1:
        raise ConfigError(
            f"this makes {len(experiments)} experiments ({', '.join(experiments)}): give one name=..."
        )

    def launch_jobs(missing: Sequence[CellRequest]) -> None:
        assert launch is not None
        launch([jobs[request.key] for request in missing])

    launcher = None if launch is None else launch_jobs
    command = without_credentials(shlex.join(["bakeoff", session.verb, *session.line.words]))
    request = commands.Request(experiments, settings, command, launcher, session.form, session.quiet)
    session.exit_code = commands.VERBS[session.verb](request)
    return session.exit_code


def _print_configs(composed: Mapping[Job, DictConfig], line: CommandLine) -> None:
    """Print the configuration of each job as YAML, as --cfg does in any program of Hydra's."""
    from omegaconf import Container, OmegaConf

    for job, config in composed.items():
        if line.resolve:
            OmegaConf.resolve(config)
        names = [str(key) for key in config]
        parts = {"job": [key for key in names if key != "hydra"], "hydra": ["hydra"], "all": names}
        part = OmegaConf.masked_copy(config, parts[str(line.cfg)])
        node = part if line.package in (None, "_global_") else OmegaConf.select(part, str(line.package))
        if node is None:
            raise ConfigError(f"--package {line.package}: the configuration has no such key")
        if len(composed) > 1:
            sys.stdout.write(f"---\n# {' '.join(job)}\n")
        text = OmegaConf.to_yaml(node) if isinstance(node, Container) else f"{node}\n"
        sys.stdout.write(without_credentials(text))


def _check(configs: Collection[DictConfig]) -> None:
    """Check what YAML files set, once for each combination of options, and what all cells must agree in."""
    from omegaconf import OmegaConf

    for config in {str(config.hydra.runtime.choices): config for config in configs}.values():
        command_line.check_keys(_plain(config, resolve=False))

    def value(config: DictConfig, key: str) -> Any:
        node = OmegaConf.select(config, key)
        return OmegaConf.to_container(node) if OmegaConf.is_config(node) else node

    command_line.check_settings({key: value(c, key) for key in command_line.SETTINGS} for c in configs)


def _run_job(config: DictConfig) -> None:
    """Run one cell; a launcher of Hydra's (joblib, Slurm, Ray) calls it in its worker."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    hydra = HydraConfig.instance().cfg
    assert hydra is not None
    merged = OmegaConf.merge(OmegaConf.create(OmegaConf.to_container(config)), hydra)  # Hydra hands it apart
    config = cast("DictConfig", merged)
    settings = Settings.of(_plain(config))
    workspace = Workspace(Store(settings.results_dir / "store"))
    run_cell(
        with_content_hashes(to_cell(config)), workspace, settings.evaluation, debug=settings.options.debug
    )


def to_cell(config: DictConfig) -> Cell:
    """Return the cell that a composed configuration describes; seeds without effect are kept for its row."""
    plain = _plain(config)
    check_axes(plain)
    dataset, split, model = dict(plain["dataset"]), dict(plain["split"]), dict(plain["model"])
    if plain["params_from"] is not None:
        named = _hyperparameters_named(config)
        model = with_params_from(model, str(plain["params_from"]), Path(plain["results_dir"]), named)
    source = build_source(dataset)
    dataset["name"] = source.name
    build_splitter(split), build_model(model)
    for key, group in (("dataset", dataset), ("split", split), ("model", model)):
        name = group.get("name")
        check_name(f"{key}.name", str(name) if isinstance(name, str | int | float) else "")
    tune = plain["tune"] or None
    if tune:
        from bakeoff.tuning.spec import TuningSpec

        TuningSpec.of(tune)  # also where a model has no space to search
    cell = Cell(
        dataset=dataset,
        split=split,
        model=model,
        tune=tune if tune and model.get("space") else None,
        seed=plain["seed"],
        split_seed=plain["split_seed"],
        depth=plain["depth"],
        variant=overrides_label("model", config, model.get("build", {}), "build"),
        split_variant=overrides_label("split", config, split),
        dataset_variant=overrides_label("dataset", config, dataset),
    )
    if cell.tune is not None:
        from bakeoff.tuning.tune import check

        check(cell)
    return cell


def _hyperparameters_named(config: DictConfig) -> set[str]:
    """Return the hyperparameters that the command sets itself."""
    keys = (str(o).lstrip("+~").partition("=")[0] for o in config.hydra.overrides.task)
    return {k.removeprefix("model.build.") for k in keys if k.startswith("model.build.")}


def overrides_label(group: str, config: DictConfig, values: Config, inside: str = "") -> str:
    """Return the parameters that differ from the YAML of an option, as `factors=128,iterations=30`.

    Args:
        group: model, split or dataset.
        config: the composed configuration.
        values: the parameters as they are.
        inside: the key of the YAML that holds the parameters; empty for its top level.
    """
    written = _option_as_written(group, config)
    written = written.get(inside, {}) if inside else written
    hidden = ("name", "path", "fold") if group != "model" else ("name", "path")
    differing = {
        k: v
        for k, v in values.items()
        if k in written and written[k] != v and not str(written[k]).startswith("${") and written[k] != "???"
    }
    return ",".join(f"{k}={_text(v)}" for k, v in sorted(differing.items()) if k not in hidden)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Mapping):
        text = "; ".join(f"{k} {_text(v)}" for k, v in value.items())
        return text if len(text) <= 40 else f"{' '.join(map(str, value))} {identity('#', dict(value))[:5]}"
    if isinstance(value, list):
        return f"[{'; '.join(_text(v) for v in value)}]"
    return "/".join(str(value).split("/")[-2:])  # of a path, its end


def _option_as_written(group: str, config: DictConfig) -> Config:
    """Return the YAML of the chosen option of a group, before any override."""
    choice = config.hydra.runtime.choices.get(group)
    for source in config.hydra.runtime.config_sources:
        path = Path(source.path) / group / f"{choice}.yaml"
        if source.schema == "file" and path.exists():
            return config_files.read(path)
    return {}


def experiment_name(config: DictConfig, cell: Cell) -> str:
    """Return the name of a cell's experiment: `name`, or else that of the data set.

    Raises:
        ConfigError: it cannot be the name of a folder.
    """
    name = str(_plain(config).get("name") or cell.dataset["name"])
    if name == "store":
        raise ConfigError("name='store': the folder of the stored cells; expected another name")
    return check_file_name("name", name)


def _plain(config: DictConfig, *, resolve: bool = True) -> Config:
    from omegaconf import OmegaConf

    task = OmegaConf.masked_copy(config, cast("list[str]", [k for k in config if k != "hydra"]))
    plain = OmegaConf.to_container(task, resolve=resolve, throw_on_missing=resolve)
    assert isinstance(plain, dict)
    command_line.check_values(plain)
    return cast("Config", plain)


def _baselines(grid: Grid, composed: Mapping[Job, DictConfig]) -> list[Job]:
    """Return the jobs of the baselines: one for each combination of the overrides that name no model."""
    jobs: dict[frozenset[str], Job] = {}
    for job, config in composed.items():
        others = [word for word in job if not _is_model(word)]
        for name in _names("baselines", config.baselines):
            for baseline in grid.expand((*others, f"model={name}")):
                jobs.setdefault(frozenset(baseline), baseline)
    models = set(map(frozenset, composed))
    return [job for words, job in jobs.items() if words not in models]


def _names(key: str, value: Any) -> list[str]:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    names = [] if value is None else list(value) if listed else [value]
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{key}={names}: expected names of models, as in {key}=[popularity,random]")
    return names


def _is_model(override: str) -> bool:
    key = override.partition("=")[0].lstrip("+~")
    return key in ("model", "params_from") or key.startswith("model.")
