"""Messages of a command while it runs: on standard error, and with times in a log file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bakeoff.secret import without_credentials

logger = logging.getLogger("bakeoff")
"""debug: phases; info: what a user should know now; warning: something is not as it should be."""


class _StandardError(logging.Handler):
    """Writes lines like every message of the command; looks standard error up anew for each."""

    def emit(self, record: logging.LogRecord) -> None:
        line = without_credentials(" ".join(record.getMessage().split()))
        sys.stderr.write(f"bakeoff: {line}\n")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record))


@contextmanager
def messages(*, quiet: bool = False, verbose: bool = False, file: Path | None = None) -> Iterator[None]:
    """Show messages while a command runs.

    Args:
        quiet: none of them on standard error.
        verbose: phases too.
        file: a log file that all messages are appended to, with times.
    """
    handlers: list[logging.Handler] = []
    if not quiet:
        handlers.append(_StandardError(logging.DEBUG if verbose else logging.INFO))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
        handlers[-1].setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    before = logger.level, logger.propagate
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if handlers else logging.CRITICAL)
    logger.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


def to_file(error: Exception) -> None:
    """Write the error that ends a command to the log file; the command itself prints it."""
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, str(error), (), None)
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(record)
