"""Search spaces: read from a model's YAML and checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bakeoff import config_files
from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, nearest
from bakeoff.importing import import_object
from bakeoff.parameters import Parameter, parameters_of
from bakeoff.run.cell import build, build_model, parameters

if TYPE_CHECKING:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import Trial

    Distribution = IntDistribution | FloatDistribution | CategoricalDistribution

Value = None | bool | int | float | str
"""Of a hyperparameter that is searched."""

Values = Mapping[str, Value]
"""Hyperparameters with their values."""

AXIS_KEYS = ("when", "hard")
"""Keys of an axis in YAML that are not arguments of its distribution."""

ENDS = ("low", "high")


@dataclass(frozen=True)
class Axis:
    """One hyperparameter.

    Args:
        name: of the hyperparameter.
        distribution: Optuna's.
        when: other hyperparameters with the values that make this one active; inactive, it keeps its default.
        hard: the ends ("low", "high") beyond which there is nothing to search.
    """

    name: str
    distribution: Distribution
    when: Values
    hard: frozenset[str] = frozenset()

    @property
    def values(self) -> Sequence[Any] | None:
        """The values in order, or None if the axis is continuous."""
        of = self.distribution
        if hasattr(of, "choices"):
            return of.choices
        if of.single():
            return (of.low,)
        if of.step is None:
            return None
        if isinstance(of.low, int):
            return range(of.low, int(of.high) + 1, int(of.step))
        first, last, by = (Decimal(str(v)) for v in (of.low, of.high, of.step))  # 0.1 + 2 * 0.1 is 0.3
        return [float(first + n * by) for n in range(int((last - first) / by) + 1)]

    @property
    def largest(self) -> Any:
        """The largest value."""
        of = self.distribution
        return max(self.values or ()) if hasattr(of, "choices") else of.high

    def active(self, chosen: Values) -> bool:
        return all(chosen.get(other) == value for other, value in self.when.items())


@dataclass(frozen=True)
class Space:
    """The axes, those that others depend on first, and the configured value of each.

    Args:
        file: the YAML that holds it, for messages.
    """

    axes: tuple[Axis, ...]
    defaults: Values
    file: str = ""

    def nearest_to_defaults(self) -> dict[str, Value]:
        """Return the defaults, each moved to the nearest end if outside of its axis (0 on a log axis)."""
        return {a.name: _inside(a.distribution, self.defaults[a.name]) for a in self.axes}

    def start(self) -> dict[str, Value]:
        """Return the defaults of the axes that are active there."""
        chosen: dict[str, Value] = {}
        for axis in self.axes:
            if axis.active({**self.defaults, **chosen}):
                chosen[axis.name] = self.defaults[axis.name]
        return chosen

    def points(self, most: int, where: str) -> list[dict[str, Value]]:
        """Return every combination of values of the active axes.

        Raises:
            ConfigError: an axis is continuous, or there are more than `most` points.
        """
        points: list[dict[str, Value]] = [{}]
        for axis in self.axes:
            values = axis.values
            if values is None:
                raise ConfigError(
                    f"{where}: {self.file}: model.space.{axis.name} has no steps; give it `step`, or "
                    "choices (CategoricalDistribution)"
                )
            active = [axis.active({**self.defaults, **point}) for point in points]
            n_points = sum(len(values) if on else 1 for on in active)
            if n_points > most:
                raise ConfigError(
                    f"{where}: the grid of {self.file} has {n_points} points with {axis.name!r}; "
                    f"expected at most {most}: give its axes larger steps, or choices"
                )
            points = [
                {**point, axis.name: value} if on else point
                for point, on in zip(points, active, strict=True)
                for value in (values if on else (None,))
            ]
        return points

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Return values of the active axes, proposed by the trial's sampler."""
        chosen: dict[str, Value] = {}
        for axis in self.axes:
            if axis.active({**self.defaults, **chosen}):
                chosen[axis.name] = _suggest(trial, axis.name, axis.distribution)
        return chosen


def parse(model: Config) -> Space:
    """Return the space of a model's configuration.

    Raises:
        ConfigError: low above high, no choices, a hyperparameter that the model does not have, an end that it
            does not take, `when` of something unknown or in a circle. The line names file and key.
    """
    name = f"model/{model.get('name')}.yaml"
    file = (
        f"conf/{name}" if (config_files.folder() / name).exists() else name
    )  # else of a folder of the user's
    space = model.get("space")
    if not isinstance(space, Mapping) or not space:
        raise ConfigError(f"{file}: model.space={space!r}: expected hyperparameters with distributions")
    signature = parameters(model["build"], "model.build")
    declared = _declared(model)
    axes = {}
    for name, spec in space.items():
        where = f"{file}: model.space.{name}"
        if name not in signature:
            raise ConfigError(
                f"{where}: the model has no such hyperparameter; {nearest(str(name), signature)}"
            )
        axes[name] = _axis(str(name), spec, where, signature, declared.get(name))
        _check_ends(model, axes[name], where)
    return Space(_in_order(axes, file), {name: signature[name] for name in axes}, file)


def _declared(model: Config) -> dict[str, Parameter]:
    """Return the model's parameters with their ranges; none if its annotations cannot be evaluated."""
    try:
        result = parameters_of(import_object(model["build"]["_target_"], "model.build._target_"))
    except NameError:  # a name that is imported for type checkers alone
        return {}
    return {parameter.name: parameter for parameter in result}


def _axis(name: str, spec: Config, where: str, signature: Config, declared: Parameter | None) -> Axis:
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise ConfigError(f"{where}={spec!r}: expected a distribution with a `_target_`")
    when = spec.get("when") or {}
    if not isinstance(when, Mapping):
        raise ConfigError(f"{where}.when={when!r}: expected {{other: value}}")
    for other in when:
        if other not in signature:
            raise ConfigError(
                f"{where}.when.{other}: the model has no such hyperparameter; "
                f"{nearest(str(other), signature)}"
            )
    hard = spec.get("hard") or ()
    if isinstance(hard, str) or not set(hard) <= set(ENDS):
        raise ConfigError(f"{where}.hard={hard!r}: expected a list of `low` and `high`")
    given = {k: v for k, v in spec.items() if k not in AXIS_KEYS}
    low, high = given.get("low"), given.get("high")
    for end, value in (("low", low), ("high", high)):
        if end in given and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{where}.{end}={value!r}: expected a number")
    if low is not None and high is not None and low > high:
        raise ConfigError(f"{where}.low={low!r}: expected low <= high, and high={high!r}")
    if "choices" in given and not given["choices"]:
        raise ConfigError(f"{where}.choices={given['choices']!r}: expected at least one choice")
    try:
        distribution = build(given, where)
    except ValueError as error:
        raise ConfigError(f"{where}: {' '.join(str(error).split())}") from error
    if not hasattr(distribution, "choices") and not hasattr(distribution, "low"):
        raise ConfigError(f"{where}._target_={given['_target_']!r}: expected a distribution of Optuna's")
    bounds = [end for end in ENDS if end in given and given[end] == getattr(declared, end, None)]
    return Axis(name, distribution, when, frozenset((*hard, *bounds)))


def _check_ends(model: Config, axis: Axis, where: str) -> None:
    """Build the model at the ends of an axis, so that its own checks run before the first trial."""
    of = axis.distribution
    for value in of.choices if hasattr(of, "choices") else (of.low, of.high):
        try:
            build_model(model, **{axis.name: value})
        except ConfigError as error:
            raise ConfigError(f"{where}: the space holds {value!r}, but {error}") from error


def _in_order(axes: Mapping[str, Axis], file: str) -> tuple[Axis, ...]:
    ordered: dict[str, Axis] = {}
    left = dict(axes)
    while left:
        free = [n for n, a in left.items() if not any(other in left for other in a.when)]
        if not free:
            raise ConfigError(f"{file}: model.space.{next(iter(left))}.when: the conditions form a circle")
        for name in free:
            ordered[name] = left.pop(name)
    return tuple(ordered.values())


def _inside(distribution: Distribution, value: Any) -> Value:
    if hasattr(distribution, "choices"):
        return value if value in distribution.choices else distribution.choices[0]
    low, high, step = distribution.low, distribution.high, distribution.step
    inside: float = min(max(value, low), high)
    if step and not distribution.log:
        inside = min(low + round((inside - low) / step) * step, high)
    return inside


def _suggest(trial: Trial, name: str, distribution: Distribution) -> Value:
    if hasattr(distribution, "choices"):
        return trial.suggest_categorical(name, distribution.choices)
    suggest: Callable[..., Value] = (
        trial.suggest_int if isinstance(distribution.low, int) else trial.suggest_float
    )
    return suggest(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
