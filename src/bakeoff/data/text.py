"""Text files of columns: their layout, how they are opened, and a slow, exact reader of their lines."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bakeoff.errors import ConfigError, DataError

STAND_IN = "\x1f"  # the unit separator: what a separator of several characters is read as


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out; Parquet files need none of it.

    Args:
        separator: text between fields (a tab may be written \\t); None takes a tab for .tsv and .tab, else a
            comma.
        quote: the character around fields that hold separators, or None where quotes are text.
        encoding: of the text.
        columns: names of the columns of a file without a header line.
    """

    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ConfigError(f"encoding={self.encoding!r}: expected a name such as utf8 or latin1") from None
        if self.separator == "":
            raise ConfigError(
                "separator='': expected the text between fields, or null for the file's usual one"
            )
        if self.quote is not None and len(self.quote) != 1:
            raise ConfigError(f"quote={self.quote!r}: expected one character, or null where quotes are text")

    def between(self, path: Path) -> str:
        """The separator of this file."""
        if self.separator is not None:
            return "\t" if self.separator == r"\t" else self.separator
        return "\t" if {".tsv", ".tab"} & {s.lower() for s in path.suffixes} else ","


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a DataError."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{path}: cannot be opened or unpacked ({reason[0]})") from None


def opened(path: Path) -> Any:
    """A binary stream of the file's content, decompressed by its suffix."""
    suffix = path.suffix.lower()
    if suffix == ".xz":
        return lzma.open(path)
    if suffix == ".zip":
        archive = zipfile.ZipFile(path)
        if len(archive.namelist()) != 1:
            raise DataError(f"{path}: {len(archive.namelist())} files inside; expected one: unpack it first")
        return archive.open(archive.namelist()[0])
    import pyarrow as pa

    return pa.input_stream(path, compression="detect")


class Replaced(io.RawIOBase):
    """A stream in which a separator of several bytes is one byte, as the CSV reader wants it."""

    def __init__(self, stream: IO[bytes], separator: bytes) -> None:
        self._stream, self._separator, self._rest = stream, separator, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # What may be the start of a separator waits for the next bytes. Never b"" before the end.
        while True:
            fresh = self._stream.read() if size < 0 else self._stream.read(max(size - len(self._rest), 1))
            text = self._rest + fresh
            if not fresh or size < 0:
                self._rest = b""
                return text.replace(self._separator, STAND_IN.encode())
            pieces = text.split(self._separator)
            last = pieces.pop()
            held = next(
                (n for n in range(len(self._separator) - 1, 0, -1) if last.endswith(self._separator[:n])), 0
            )
            self._rest = last[len(last) - held :] if held else b""
            done = STAND_IN.encode().join([*pieces, last[: len(last) - held]])
            if done:
                return done


def records(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Records of a text file with the line each ends on, read slowly: for headers and for faults."""
    separator = layout.between(path)
    with readable(path), opened(path) as stream:
        lines = io.TextIOWrapper(stream, encoding=layout.encoding, errors="surrogateescape", newline="")
        source = lines if len(separator) == 1 else (line.replace(separator, STAND_IN) for line in lines)
        reader = csv.reader(
            source,
            delimiter=separator if len(separator) == 1 else STAND_IN,
            quotechar=layout.quote or '"',
            quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
        )
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except csv.Error as error:
            hint = "is a quote left open? quote=null takes quotes as text"
            raise DataError(f"{path}: row {reader.line_num}: {error}; {hint}") from None


def data_records(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Records after the header, where there is one."""
    found = records(path, layout)
    if layout.columns is None:
        next(found, None)
    return found
