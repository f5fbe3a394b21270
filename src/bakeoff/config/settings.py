"""The scalars of a configuration, typed and range-checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, check_flag, check_range
from bakeoff.evaluation.catalogue import expand
from bakeoff.evaluation.significance import TestConfig
from bakeoff.run.grid import Options
from bakeoff.run.runner import EvaluationSpec
from bakeoff.secret import SecretUrl


@dataclass(frozen=True)
class Settings:
    """What `config.yaml` holds beside the groups."""

    results_dir: Path
    evaluation: EvaluationSpec
    options: Options
    fresh: bool
    tests: TestConfig
    mlflow: SecretUrl | None

    @classmethod
    def of(cls, plain: Config) -> Settings:
        """Return the settings of a configuration of plain values.

        Raises:
            ConfigError: one that is not of its type or not in its range.
        """
        ks = _cutoffs(plain)
        if not ks:
            raise ConfigError("k=[]: expected at least one cutoff, such as k=[10]")
        for k in ks:
            check_range("k", k, 1, integer=True)
        for name in ("fresh", "save_model"):
            check_flag(name, plain[name])
        for name in ("name", "results_dir", "params_from"):
            text = plain[name]
            if isinstance(text, bool | list | dict) or text == "" or (text is None and name == "results_dir"):
                raise ConfigError(f"{name}={text}: expected a text")
        options = Options(**{field.name: plain[field.name] for field in fields(Options)})
        evaluation = EvaluationSpec(tuple(sorted(set(ks))), expand(plain["metrics"]), plain["save_model"])
        tests = TestConfig(**plain["statistics"])
        mlflow = None if plain["mlflow"] is None else SecretUrl.of("mlflow", plain["mlflow"])
        return cls(Path(str(plain["results_dir"])), evaluation, options, plain["fresh"], tests, mlflow)


def check_axes(plain: Config) -> None:
    """Check the scalars in which the cells of a grid may differ.

    Raises:
        ConfigError: depth or a seed that is not in its range.
    """
    check_range("depth", plain["depth"], 1, integer=True)
    if (k := max(_cutoffs(plain))) > plain["depth"]:
        raise ConfigError(
            f"k={k} is larger than depth={plain['depth']}: ask for a smaller k or for depth={k}"
        )
    for name in ("seed", "split_seed"):
        check_range(name, plain[name], 0, 2**31 - 1, integer=True)


def _cutoffs(plain: Config) -> list[Any]:
    return plain["k"] if isinstance(plain["k"], list) else [plain["k"]]
