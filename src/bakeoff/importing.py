"""Import objects by their path, and turn the errors of users' code into one line."""

from __future__ import annotations

import importlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from bakeoff.errors import BakeoffError, ConfigError, UsageError, nearest

_EXITS = (Exception, SystemExit)
"""What users' code may end with: a script that is imported as a module calls `sys.exit`."""


def import_object(path: str, where: str) -> Any:
    """Return the object behind an import path such as `package.module.Name`.

    Args:
        path: module and attribute, separated by dots.
        where: the key of the configuration that holds the path; it begins the message of an error.

    Raises:
        ConfigError: the path names no module, the module cannot be imported or raises an error meanwhile, or
            it has no such attribute.
    """
    module_name, _, attribute = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if not module_name:
        raise ConfigError(f"{where}={path!r}: expected an import path such as package.module.Name")
    module = import_module(module_name, f"{where}={path!r}")
    if not hasattr(module, attribute):
        public = [name for name in vars(module) if not name.startswith("_")]
        raise ConfigError(
            f"{where}={path!r}: {module_name} has no {attribute!r}; {nearest(attribute, public)}"
        )
    return getattr(module, attribute)


def import_module(name: str, where: str) -> ModuleType:
    """Return a module; those in the working directory are found, also from the console script.

    Raises:
        ConfigError: it does not exist, is missing a dependency, or raises an error while it is imported.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # the `sys.path` of a console script lacks the working directory
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{where}: cannot import {name!r} ({error})") from error
    except _EXITS as error:
        raise ConfigError(
            f"{where}: {name!r} raises an error when imported: {_with_location(error)}"
        ) from error


@contextmanager
def user_code_errors(path: str, where: str, kind: type[UsageError] = ConfigError) -> Iterator[None]:
    """Convert what users' code raises inside the `with` block to `kind`, one line with file and line number.

    Errors of bakeoff's own classes and functions, and those that are a `BakeoffError` already, propagate.

    Args:
        path: import path of the class or function that is called.
        where: the key of the configuration that holds the path.
        kind: class of the error that is raised.
    """
    try:
        yield
    except BakeoffError:
        raise
    except _EXITS as error:
        if path.startswith("bakeoff."):
            raise
        raise kind(f"{where}: {path} breaks: {_with_location(error)}") from error


def _with_location(error: BaseException) -> str:
    """Return an error's type and message with the innermost file and line outside libraries and bakeoff."""
    text = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    frames = traceback.extract_tb(error.__traceback__)
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    excluded = ("<", *libraries, str(Path(__file__).parent))
    user_frames = [frame for frame in frames if not frame.filename.startswith(excluded)]
    innermost = (user_frames or frames)[-1]
    file, line = innermost.filename, innermost.lineno
    if isinstance(error, SyntaxError):
        file, line = error.filename or file, error.lineno
    return f"{text} ({Path(file).name}, line {line})"
