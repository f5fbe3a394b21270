"""CSV and Parquet files: their dialect, their columns, and record batches with the row of each fault."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from bakeoff.errors import ConfigError, DataError, nearest, shortened

STAND_IN = "\x1f"  # the unit separator, which replaces a separator of several characters


@dataclass(frozen=True, kw_only=True)
class CsvDialect:
    """Dialect of a text file; Parquet files need none.

    Args:
        separator: text between fields (a tab may be written \\t); null takes a tab for .tsv and .tab, else a
            comma.
        quote: character around fields that hold separators; null reads quotes as text.
        encoding: encoding of the text, as in utf8 or latin1.
        columns: names of the columns of a file without a header line; null reads them from the header.
    """

    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        try:
            "a".encode(self.encoding)
        except (LookupError, ValueError):
            raise ConfigError(f"encoding={self.encoding!r}: expected a name such as utf8 or latin1") from None
        if self.separator == "":
            raise ConfigError(
                "separator='': expected the text between fields, or null for the file's usual one"
            )
        if self.quote is not None and len(self.quote) != 1:
            raise ConfigError(f"quote={self.quote!r}: expected one character, or null where quotes are text")

    def separator_of(self, path: Path) -> str:
        """Return the separator of this file."""
        if self.separator is not None:
            return "\t" if self.separator == r"\t" else self.separator
        return "\t" if {".tsv", ".tab"} & {s.lower() for s in path.suffixes} else ","


@contextlib.contextmanager
def data_errors(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a DataError."""
    try:
        yield
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
    ) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{path}: cannot be opened or unpacked ({reason[0]})") from None


def open_stream(path: Path) -> Any:
    """Return a binary stream of the file's content, decompressed as its suffix says."""
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


class SeparatorReplacer(io.RawIOBase):
    """A stream in which a separator of several bytes is replaced by one byte, as the CSV reader needs it."""

    def __init__(self, stream: IO[bytes], separator: bytes) -> None:
        self._stream, self._separator, self._rest = stream, separator, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # Bytes that may begin a separator wait for the next ones. b"" is returned at the end only.
        while True:
            fresh = self._stream.read() if size < 0 else self._stream.read(max(size - len(self._rest), 1))
            text = self._rest + fresh
            if not fresh or size < 0:
                self._rest = b""
                return text.replace(self._separator, STAND_IN.encode())
            pieces = text.split(self._separator)
            last = pieces.pop()
            n_partial = next(
                (n for n in range(len(self._separator) - 1, 0, -1) if last.endswith(self._separator[:n])), 0
            )
            self._rest = last[len(last) - n_partial :] if n_partial else b""
            complete = STAND_IN.encode().join([*pieces, last[: len(last) - n_partial]])
            if complete:
                return complete


def records(path: Path, dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a text file with the line each ends on: slow, for headers and for errors."""
    separator = dialect.separator_of(path)
    with data_errors(path), open_stream(path) as stream:
        text = io.TextIOWrapper(stream, encoding=dialect.encoding, errors="surrogateescape", newline="")
        lines = _lines(path, text)
        source = lines if len(separator) == 1 else (line.replace(separator, STAND_IN) for line in lines)
        reader = csv.reader(
            source,
            delimiter=separator if len(separator) == 1 else STAND_IN,
            quotechar=dialect.quote or '"',
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        )
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
        except UnicodeError:
            raise DataError(
                f"{path}: found bytes that are not {dialect.encoding}; set the encoding, for example "
                "dataset.encoding=latin1"
            ) from None
        except csv.Error as error:
            hint = "is a quote left open? quote=null takes quotes as text"
            raise DataError(f"{path}: row {reader.line_num}: {error}; {hint}") from None


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text; DataError for one that would not end."""
    for number in itertools.count(1):
        line = text.readline(_BLOCK)
        if len(line) == _BLOCK:
            raise DataError(
                f"{path}: row {number}: found a line of {_BLOCK:,} characters or more, expected a shorter one"
            )
        if not line:
            return
        yield line


def data_records(path: Path, dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """Return the records after the header, if there is one."""
    rows = records(path, dialect)
    if dialect.columns is None:
        next(rows, None)
    return rows


Kind = Literal["id", "number", "time"]

_BLOCK = 1 << 20  # bytes; larger blocks are no faster and cost memory


def column_names(path: Path, dialect: CsvDialect) -> list[str]:
    """Return the names of the columns of a file.

    Raises:
        DataError: there is no such file, it is empty, or it cannot be read as declared.
    """
    if not path.is_file():
        raise DataError(f"{path}: {'a folder; expected a file' if path.is_dir() else 'no such file'}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; expected a header and rows")
    if is_parquet(path):
        return list(_parquet(path).schema_arrow.names)
    if dialect.columns is not None:
        return list(dialect.columns)
    first = next(records(path, dialect), None)
    if first is None:
        raise DataError(f"{path}: the file is empty; expected a header and rows")
    if any("\0" in name for name in first[1]):
        raise DataError(
            f"{path}: zero bytes in the first line; expected text, or Parquet called .parquet; "
            "if it is UTF-16, set dataset.encoding=utf16"
        )
    return [name.removeprefix("\ufeff") for name in first[1]]


def check_columns(
    path: Path, dialect: CsvDialect, columns: Mapping[str, str], *, verb: str = "names"
) -> None:
    """Raise DataError unless the file has each column once (name: the parameter that names it)."""
    names = column_names(path, dialect)
    for name, parameter in columns.items():
        if name not in names:
            text = not is_parquet(path) and dialect.columns is None and parameter.startswith("dataset.")
            hint = _header_hint(path, dialect, names) if text else ""
            raise DataError(
                f"{path}: no column {name!r}, which {parameter} {verb}; {nearest(name, names)}{hint}"
            )
        if names.count(name) > 1:
            raise DataError(
                f"{path}: {names.count(name)} columns are called {name!r}, which {parameter} {verb}; "
                "expected one: rename the others"
            )


def _header_hint(path: Path, dialect: CsvDialect, header: Sequence[str]) -> str:
    """Return a hint on the first line of a text file that is not the expected header."""
    if header[0].lstrip()[:1] in ("{", "[", "<"):
        return " (is that JSON or HTML? expected CSV, TSV or Parquet)"
    if len(header) == 1:
        hint = f" (the whole line is one column: is {dialect.separator_of(path)!r} the separator?"
        likely = next((c for c in ";|\t," if c in header[0]), None)
        return hint + (f""" try "dataset.separator='{_printable(likely)}'")""" if likely else ")")
    if any(name.strip().replace(".", "", 1).isdecimal() for name in header):
        return " (is that a row, and no header? name the columns: 'dataset.columns=[user,item,...]')"
    return ""


def _printable(separator: str) -> str:
    return "\\t" if separator == "\t" else separator


def read_batches(path: Path, dialect: CsvDialect, kinds: Mapping[str, Kind]) -> Iterator[Any]:
    """Yield Arrow record batches of the columns in kinds, in their order.

    Ids come as dictionary-encoded texts or whole numbers, numbers as float64; times as the file holds them
    (of a text file: int64, float64 or text). Empty fields are null.

    Raises:
        DataError: a field that is not of its kind, named by its row and column.
    """
    if is_parquet(path):
        yield from _parquet_batches(path, kinds)
        return
    import pyarrow as pa

    try:
        yield from _csv_batches(path, dialect, kinds)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _diagnose(path, dialect, kinds, error) from None


def row_number(path: Path, dialect: CsvDialect, record: int) -> int:
    """Return the row of a record (counted from 0), counted from 1; in a text file it is the line."""
    if is_parquet(path):
        return record + 1
    records = data_records(path, dialect)
    return next((line for i, (line, _) in enumerate(records) if i == record), record + 1)


def is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _parquet(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None


def _parquet_batches(path: Path, kinds: Mapping[str, Kind]) -> Iterator[Any]:
    import pyarrow as pa

    record = 0
    batches = _parquet(path).iter_batches(batch_size=1 << 18, columns=list(kinds))
    while True:
        with data_errors(path):
            batch = next(batches, None)
        if batch is None:
            return
        columns = []
        for name, kind in kinds.items():
            column = batch.column(batch.schema.get_field_index(name))
            if kind != "time":
                column = (
                    _dictionary_encoded(path, name, column, record)
                    if kind == "id"
                    else _numbers(path, name, column, record)
                )
            columns.append(column)
        record += batch.num_rows
        yield pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _dictionary_encoded(path: Path, name: str, column: Any, record: int) -> Any:
    """Return a column of ids as a dictionary of int64 or text; whole floats are integers of a column with
    nulls.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    whole = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    kind = pa.int64() if whole else pa.string()
    try:
        texts = pc.cast(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        at = next((at for at in range(len(column)) if not _casts(column.slice(at, 1), kind)), 0)
        raise DataError(
            f"{path}: row {record + at + 1}, column {name!r}: found {shortened(column[at].as_py())} "
            f"({str(column.type)[:60]}), expected an id: a text or a whole number below 2^63"
        ) from None
    if not whole:
        texts = pc.if_else(pc.equal(texts, ""), None, texts)
    return texts.dictionary_encode()


def _casts(column: Any, kind: Any) -> bool:
    import pyarrow as pa

    try:
        column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _numbers(path: Path, name: str, column: Any, record: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(column, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for at, value in enumerate(column.to_pylist()):
            if value is not None and not _is_number(value):
                raise DataError(_field_error(path, record + at + 1, name, value, "number")) from None
        raise DataError(f"{path}: column {name!r} holds {column.type}, expected numbers") from None


def _csv_batches(path: Path, dialect: CsvDialect, kinds: Mapping[str, Kind]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    types = {"id": pa.dictionary(pa.int32(), pa.string()), "number": pa.float64()}
    separator = dialect.separator_of(path)
    convert = pacsv.ConvertOptions(
        include_columns=list(kinds),
        column_types={n: _time_type(path, dialect, n) if k == "time" else types[k] for n, k in kinds.items()},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    read = pacsv.ReadOptions(
        block_size=_BLOCK,
        encoding=dialect.encoding,
        column_names=None if dialect.columns is None else list(dialect.columns),
    )
    parse = pacsv.ParseOptions(
        delimiter=separator if len(separator) == 1 else STAND_IN,
        quote_char=dialect.quote or False,
        newlines_in_values=dialect.quote is not None,
    )
    with data_errors(path), open_stream(path) as stream:
        source = (
            stream if len(separator) == 1 else SeparatorReplacer(stream, separator.encode(dialect.encoding))
        )
        yield from pacsv.open_csv(source, read_options=read, parse_options=parse, convert_options=convert)


def _time_type(path: Path, dialect: CsvDialect, name: str) -> Any:
    """Return the Arrow type of a column of times, by its first value."""
    import pyarrow as pa

    at = column_names(path, dialect).index(name)
    for _, fields in data_records(path, dialect):
        if len(fields) > at and fields[at]:
            if fields[at].lstrip("-").isdigit():
                return pa.int64()
            return pa.float64() if _is_number(fields[at]) else pa.string()
    return pa.int64()


def _diagnose(path: Path, dialect: CsvDialect, kinds: Mapping[str, Kind], error: Exception) -> DataError:
    """Return the first error of a text file that the fast reader could not read."""
    names = column_names(path, dialect)
    first = next(data_records(path, dialect), None)
    if first is None:
        return DataError(f"{path}: no rows; expected some after the header")
    times = {n: _time_type(path, dialect, n) for n, k in kinds.items() if k == "time"}
    for line, fields in data_records(path, dialect):
        if len(fields) != len(names):
            return DataError(f"{path}: row {line}: found {len(fields)} fields, expected {len(names)}")
        for name, kind in kinds.items():
            text = fields[names.index(name)]
            if kind == "number" and text and not _is_number(text):
                return DataError(_field_error(path, line, name, text, "number"))
            if kind == "time" and text and not _fits(text, str(times[name])):
                return DataError(_field_error(path, line, name, text, "time in unix seconds or milliseconds"))
            if any("\udc80" <= c <= "\udcff" for c in text):
                return DataError(
                    f"{path}: row {line}, column {name!r}: found bytes that are not {dialect.encoding}; "
                    "set the encoding, for example dataset.encoding=latin1"
                )
    return DataError(f"{path}: cannot be read as declared ({str(error).splitlines()[0]})")


def _field_error(path: Path, row: int, column: str, value: object, expected: str) -> str:
    return f"{path}: row {row}, column {column!r}: found {shortened(value)}, expected a {expected}"


def _fits(text: str, arrow_type: str) -> bool:
    if arrow_type == "int64":
        return text.isascii() and text.lstrip("-").isdigit() and -(2**63) <= int(text[:40]) < 2**63
    return arrow_type == "string" or _is_number(text)


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return "_" not in str(value) and str(value).isascii()
