"""Secrets: an address that no output can print, and texts without the credentials of their URLs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from bakeoff.errors import ConfigError

_URL = re.compile(
    r"""([a-zA-Z][\w+.-]*://)                    # scheme
    (?:[^\s@'"/:]*:(?!\d+/)[^\s'"]*@|[^\s@'"/]*@)?  # user and password, which may hold a slash
    ([^\s'"?\#]*)                                 # host, port and database
    (?:[?\#][^\s'"]*)?""",
    re.VERBOSE,
)


def without_credentials(text: str) -> str:
    """Return a text in which each URL has its scheme, host and path alone.

    >>> without_credentials("mlflow=http://me:hunter2@host:5000/base?token=x")
    'mlflow=http://host:5000/base'
    """
    return _URL.sub(r"\1\2", text) if "://" in text else text


class SecretUrl:
    """A URL that prints as `without_credentials` and cannot be pickled; `reveal` returns all of it."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    @classmethod
    def of(cls, key: str, value: object) -> SecretUrl:
        """Return the URL that a key of the configuration holds.

        Raises:
            ConfigError: it is not a URL.
        """
        if not (isinstance(value, str) and re.match(r"[\w+.-]+://.", value)):
            expected = "an address such as http://host:5000 or sqlite:///mlflow.db"
            raise ConfigError(f"{key}={value!r}: expected {expected}")
        return cls(value)

    def reveal(self) -> str:
        """Return the URL with its credentials, for the library that connects."""
        return self._url

    def __str__(self) -> str:
        return without_credentials(self._url)

    __repr__ = __str__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to files or sent to processes")


def read_secret(path: str) -> str:
    """Return the content of a file: `${secret:/run/secrets/url}` in a configuration.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"${{secret:{path}}}: the file cannot be read") from error
