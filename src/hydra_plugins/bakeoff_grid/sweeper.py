"""The grid sweeper: Hydra expands and composes, bakeoff decides what is missing and runs it.

Hydra's own sweeper can neither resume nor outlive a failing job, and it composes every job twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig


@dataclass
class GridSweeperConf:
    """`params` holds the axes of a preset, as for Hydra's own sweeper."""

    _target_: str = "hydra_plugins.bakeoff_grid.sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="bakeoff")


class GridSweeper(BasicSweeper):
    """Composes every cell of the grid, then gives control to `app.execute`."""

    def sweep(self, arguments: list[str]) -> Any:
        from bakeoff import app  # here, since Hydra imports every plug-in of an environment for any command

        assert self.config is not None and self.launcher is not None and self.hydra_context is not None
        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides([*self._parse_config(), *arguments])
        jobs = [job for batch in self.split_arguments(given, None) for job in batch]

        def compose(overrides: Sequence[str]) -> DictConfig:
            return loader.load_sweep_config(self.config, list(overrides))

        def launch(overrides: Sequence[Sequence[str]]) -> None:
            assert self.launcher is not None
            self.launcher.launch([list(o) for o in overrides], initial_job_idx=0)

        elsewhere = "basic_launcher" not in str(self.config.hydra.launcher._target_)
        return app.execute(jobs, compose, launch if elsewhere else None)
