"""Parameters of a class: the range of each, declared in its annotation, and its meaning, from the docstring.

A dataclass with the field `factors: Count = 64`, whose docstring explains `factors`, and which calls
`check_parameters(self, "model.build")` in `__post_init__`, needs no more.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from bakeoff.errors import ConfigError, check_choice, check_flag, check_range

REQUIRED = inspect.Parameter.empty
"""Default of a parameter that has none."""


@dataclass(frozen=True)
class Range:
    """Bounds of a number: low <= value <= high and above < value < below; None is no bound."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        bounds = {">=": self.low, ">": self.above, "<=": self.high, "<": self.below}
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if bound is not None)


Count = Annotated[int, Range(low=1)]
Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(low=0)]
OpenShare = Annotated[float, Range(above=0, below=1)]
Share = Annotated[float, Range(low=0, high=1)]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a constructor.

    Args:
        name: as it is written.
        type: of its values: int, float, bool, str, ... as annotated, with "or null" where None is allowed.
        default: its default, or REQUIRED.
        meaning: what it does, in words; "" where the docstring does not say.
        low: lower bound of a number, or None; whether the bound itself is allowed is in `range`.
        high: upper bound, likewise.
        choices: the allowed texts; () where there is no list of them.
        range: the allowed numbers as text, as in "> 0, < 1"; "" where there is no bound.
    """

    name: str
    type: str
    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    range: str = ""


class _Declared(NamedTuple):
    """What an annotation says."""

    label: str
    integer: bool = False
    optional: bool = False
    bounds: Range | None = None
    choices: tuple[str, ...] = ()


def parameters_of(target: Any) -> tuple[Parameter, ...]:
    """Return the parameters of a class, or of any callable, in the order of its signature."""
    declared, meanings = _declarations(target), _meanings(target)
    result = []
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        of = declared.get(name) or _Declared(
            "" if parameter.annotation is REQUIRED else str(parameter.annotation)
        )
        bounds = of.bounds or Range()
        factory = next((f.default_factory for f in _fields(target) if f.name == name), MISSING)
        result.append(
            Parameter(
                name,
                of.label,
                parameter.default if factory is MISSING else factory(),
                meanings.get(name, ""),
                bounds.low if bounds.low is not None else bounds.above,
                bounds.high if bounds.high is not None else bounds.below,
                of.choices,
                str(bounds),
            )
        )
    return tuple(result)


def check_parameters(instance: object, prefix: str = "") -> None:
    """Check each field of a dataclass against the range or the choices that its annotation declares.

    Args:
        instance: the object. A field that may be None passes where it is None.
        prefix: what stands before a field's name on the command line, as in `model.build`; "" for nothing.

    Raises:
        ConfigError: the first field that is outside.
    """
    kind: Any = type(instance)
    for name, of in _declarations(kind).items():
        value, where = getattr(instance, name), f"{prefix}.{name}" if prefix else name
        if of.optional and value is None:
            continue
        if of.label == "bool":
            check_flag(where, value)
        elif of.label.removesuffix(" or null") == "str" and not of.choices:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ConfigError(f"{where}={value!r}: expected a text")
        elif of.choices:
            check_choice(where, value, of.choices)
        elif of.bounds is not None:
            low, high, above, below = of.bounds.low, of.bounds.high, of.bounds.above, of.bounds.below
            check_range(where, value, low, high, above=above, below=below, integer=of.integer)


def _fields(target: Any) -> tuple[Field[Any], ...]:
    return tuple(f for f in fields(target) if f.init) if is_dataclass(target) else ()


@cache
def _declarations(target: Any) -> dict[str, _Declared]:
    names = [f.name for f in _fields(target)]
    hints = get_type_hints(target if names else getattr(target, "__init__", target), include_extras=True)
    return {
        name: _declared(hint) for name, hint in hints.items() if name in (names or hints) and name != "return"
    }


def _declared(hint: Any) -> _Declared:
    if get_origin(hint) in (Union, UnionType):
        members = [_declared(member) for member in get_args(hint) if member is not NoneType]
        optional = NoneType in get_args(hint)
        label = " or ".join([m.label for m in members] + ["null"] * optional)
        return members[0]._replace(label=label, optional=optional) if len(members) == 1 else _Declared(label)
    if get_origin(hint) is Annotated:
        kind, *extras = get_args(hint)
        bounds = next((extra for extra in extras if isinstance(extra, Range)), None)
        return _declared(kind)._replace(bounds=bounds)
    if get_origin(hint) is Literal:
        return _Declared("str", choices=get_args(hint))
    kind = get_origin(hint) or hint
    return _Declared(getattr(kind, "__name__", str(kind)), integer=kind is int)


def _meanings(target: Any) -> dict[str, str]:
    """Return the `Args` texts of a class and of its base classes."""
    meanings: dict[str, str] = {}
    for kind in reversed(getattr(target, "__mro__", (target,))):
        _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")
        for block in re.split(r"\n(?=\S)", section)[:1]:
            for names, text in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {5,}.*)*)", block, re.MULTILINE):
                meanings |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return meanings
