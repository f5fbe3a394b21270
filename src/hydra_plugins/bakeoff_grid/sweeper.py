"""The grid sweeper: Hydra expands and composes, bakeoff decides what is missing and runs it.

Hydra's own sweeper can neither resume nor outlive a failing job, and it composes every job twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

# A plain node: Hydra executes plug-ins without registering their module, which a dataclass cannot stand.
# `params` holds the axes of a preset, as for Hydra's own sweeper.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="grid",
    node={
        "_target_": "hydra_plugins.bakeoff_grid.sweeper.GridSweeper",
        "max_batch_size": None,
        "params": {},
    },
    provider="bakeoff",
)


class GridSweeper(BasicSweeper):
    """Composes every cell of the grid, then gives control to `config.compose.execute`."""

    def sweep(self, arguments: list[str]) -> Any:
        # here, since Hydra imports every plug-in of an environment for any command
        from bakeoff.config.compose import execute

        assert self.config is not None and self.launcher is not None and self.hydra_context is not None
        master, loader = self.config, self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides([*self._parse_config(), *arguments])
        jobs = _for_tuned_jobs_only([job for batch in self.split_arguments(given, None) for job in batch])

        def reads_lists(model: str) -> bool:
            knobs = list(loader.load_sweep_config(master, [f"model={model}"]).model)
            return "path" in knobs  # in a list, since a mapping denies a key that has no value yet

        jobs = _for_lists_only(jobs, reads_lists)
        composed: dict[tuple[str, ...], DictConfig] = {}

        def compose(overrides: Sequence[str]) -> DictConfig:
            """Jobs that differ in seeds alone are composed once: no file and no other key depends on them."""
            seeds = [o for o in overrides if o.startswith(("seed=", "split_seed="))]
            others = tuple(o for o in overrides if o not in seeds)
            if others not in composed:
                composed[others] = loader.load_sweep_config(master, list(others))
            config = copy.deepcopy(composed[others])
            for name, _, value in (o.partition("=") for o in seeds):
                OmegaConf.update(config, name, yaml.safe_load(value))
            return config

        def launch(overrides: Sequence[Sequence[str]]) -> None:
            assert self.launcher is not None
            for job in self.launcher.launch([list(o) for o in overrides], initial_job_idx=0):
                job.return_value  # noqa: B018 - raises what kept a job from storing a record

        elsewhere = "basic_launcher" not in str(master.hydra.launcher._target_)
        return execute(jobs, compose, launch if elsewhere else None)


def _for_tuned_jobs_only(jobs: list[Any]) -> list[Any]:
    """In a grid that tunes and does not (`tune=none,optuna`), the tuner's options are not for `tune=none`."""
    tuners = {word for job in jobs for word in job if word.startswith("tune=")}
    if tuners <= {"tune=none"}:
        return jobs
    return [
        [word for word in job if not word.lstrip("+").startswith("tune.")] if "tune=none" in job else job
        for job in jobs
    ]


def _for_lists_only(jobs: list[Any], reads_lists: Callable[[str], bool]) -> list[Any]:
    """In a grid of models that are fitted and of lists made elsewhere, model.path is for the lists alone."""

    def model(job: Any) -> str:
        return next((word.removeprefix("model=") for word in job if word.startswith("model=")), "")

    def is_path(word: str) -> bool:
        return word.lstrip("+").startswith("model.path=")

    if not any(is_path(word) for job in jobs for word in job):
        return jobs
    of_lists = {name for name in set(map(model, jobs)) - {""} if reads_lists(name)}
    if not of_lists:
        return jobs
    kept = [job if model(job) in of_lists else [w for w in job if not is_path(w)] for job in jobs]
    return [list(job) for job in dict.fromkeys(map(tuple, kept))]
