"""The one exception tree.

    BakeoffError
    ├── UsageError          known before the first fit: one line, exit code 2, nothing written
    │   ├── ConfigError     a key, an option or a value of the configuration
    │   └── DataError       a file, a row, a column of the data
    ├── Unsupported         a model, a split or a metric cannot do what is asked: a skip, with this reason
    └── ModelError          what a model returned breaks its contract: the cell has failed

A message is one line that says what was found, where, what was expected and what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path


class BakeoffError(Exception):
    """Root of every error that bakeoff raises on purpose."""


class UsageError(BakeoffError):
    """The command, the configuration or the data are wrong."""


class ConfigError(UsageError):
    """A key, an option or a value of the configuration is wrong."""


class DataError(UsageError):
    """The data file does not match its declared schema."""


class Unsupported(BakeoffError):  # noqa: N818 - it reads as a state: a skip, not a fault
    """A model, split or metric cannot do what is requested; the reason becomes the reason of the skip."""


class ModelError(BakeoffError):
    """A model broke its contract, for example by recommending what the user has seen."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: it ends a command as Ctrl-C does."""


def shortened(value: object) -> str:
    """Return the repr of a value for a message, cut after 60 characters.

    >>> shortened("a" * 1000)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    text = repr(value[:60] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 60 and text == repr(value) else f"{text[:60]}..."


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the choice most like a wrong name (letter case aside) and all choices, for an error message.

    >>> nearest("popularty", ["als", "popularity"])
    "did you mean 'popularity'? choose one of: als, popularity"
    """
    names = sorted(choices)
    if not names:
        return "there is none"
    close = closest(name, names)
    hint = f"did you mean {close!r}? " if close else ""
    listed = [n if len(n) <= 60 else f"{n[:60]}..." for n in names[:40]] + ["..."] * (len(names) > 40)
    return f"{hint}choose one of: {', '.join(listed)}"


def closest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice most like a wrong name, letter case aside; None where none is similar.

    >>> closest("ALS", ["als", "popularity"])
    'als'
    """
    by_lower = {choice.lower(): choice for choice in choices}
    match = difflib.get_close_matches(name.lower()[:200], by_lower, n=1, cutoff=0.6)
    return by_lower[match[0]] if match else None


def check_range(
    name: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    integer: bool = False,
) -> None:
    """Raise ConfigError unless value is a number with low <= value <= high and above < value < below."""
    kind = "a whole number" if integer else "a number"
    if isinstance(value, bool) or not isinstance(value, int if integer else int | float):
        raise ConfigError(f"{name}={value!r}: expected {kind}")
    bounds = [f">= {low}"] if low is not None else []
    bounds += [f"> {above}"] if above is not None else []
    bounds += [f"<= {high}"] if high is not None else []
    bounds += [f"< {below}"] if below is not None else []
    wrong = value != value or (
        (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )
    if wrong:
        raise ConfigError(f"{name}={value!r}: expected {kind} {' and '.join(bounds)}".rstrip())


def check_flag(name: str, value: object) -> None:
    """Raise ConfigError unless value is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r}: expected true or false")


def check_one_name(command: str, names: Sequence[str]) -> str:
    """Return the name that a command takes, or raise ConfigError unless it got exactly one."""
    if len(names) != 1:
        raise ConfigError(f"{command}: expected one name, got {len(names)}; see bakeoff {command} --help")
    return names[0]


_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, with any suffix."""


def check_name(what: str, name: str) -> str:
    """Return a name that is data: any text of one line and at most 150 bytes, which may hold a slash.

    Raises:
        UsageError: it is empty, longer, or holds control characters.
    """
    return _checked(what, name, "a name of one line")


def check_file_name(what: str, name: str) -> str:
    """Return a name or a key that is about to become a part of a path.

    Raises:
        UsageError: it would lead elsewhere, or no file can bear it everywhere.
    """
    return _checked(
        what,
        name,
        "the name of a file",
        ("it begins with a dot", name.startswith(".")),
        ("it holds a slash", any(c in name for c in "/\\")),
        ("it is the name of a device", _DEVICE.fullmatch(name) is not None),
    )


def _checked(what: str, name: str, expected: str, *more: tuple[str, bool]) -> str:
    wrong = (
        ("it is empty", not name),
        *more,
        ("it holds control characters", not name.isprintable()),
        ("it is longer than 150 bytes", len(name.encode(errors="replace")) > 150),
    )
    reason = next((reason for reason, is_wrong in wrong if is_wrong), "")
    if reason:
        shown = name if len(name) <= 60 else f"{name[:60]}..."
        raise UsageError(f"{what} {shown!r}: expected {expected}; {reason}")
    return name


def check_inside(folder: Path) -> Path:
    """Return a folder, of which nothing may lead out of it or wait for ever when it is opened.

    Raises:
        UsageError: it is a link, or it holds a link, a pipe or a device.
    """
    for path in (folder, *(folder.iterdir() if folder.is_dir() else ())):
        if path.is_symlink() or (path.exists() and not (path.is_file() or path.is_dir())):
            raise UsageError(f"{path}: a link, a pipe or a device; expected a file or a folder of its own")
    return folder


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ConfigError unless value is one of choices; the message names the nearest."""
    valid = list(choices)
    if value not in valid:
        raise ConfigError(f"{name}={value!r}: {nearest(str(value), valid)}")
