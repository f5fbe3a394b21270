"""The grid sweeper: Hydra parses and composes, bakeoff decides what is missing and runs it.

Hydra's own sweeper can neither resume nor outlive a failing job, and it composes every job twice.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
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
    """Hand the overrides of a grid, with the means to compose and launch jobs, to `compose.execute`."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the grid of the preset's `params` and the command's overrides; return the exit code."""
        # here, since Hydra imports every plug-in of an environment for any command
        from bakeoff.config.compose import execute

        assert self.config is not None and self.launcher is not None and self.hydra_context is not None
        master, launcher, loader = self.config, self.launcher, self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        composed: dict[tuple[str, ...], DictConfig] = {}

        def compose(job: Sequence[str]) -> DictConfig:
            """Jobs that differ in seeds alone are composed once: no file and no other key depends on them."""
            seeds = [o for o in job if o.startswith(("seed=", "split_seed="))]
            others = tuple(o for o in job if o not in seeds)
            if others not in composed:
                composed[others] = loader.load_sweep_config(master, list(others))
            config = copy.deepcopy(composed[others])
            for name, _, value in (o.partition("=") for o in seeds):
                OmegaConf.update(config, name, yaml.safe_load(value))
            return config

        def launch(jobs: Sequence[Sequence[str]]) -> None:
            for job in launcher.launch([list(job) for job in jobs], initial_job_idx=0):
                job.return_value  # noqa: B018 - raises what kept a job from storing a record

        in_this_process = "basic_launcher" in str(master.hydra.launcher._target_)
        preset, overrides = map(parser.parse_overrides, (self._parse_config(), arguments))
        return execute(preset, overrides, compose, None if in_this_process else launch)
