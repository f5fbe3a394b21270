"""The rows of the CSV files with their types, as an Arrow table and as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bakeoff.report.rows import CsvRow
from bakeoff.report.wording import visible

WHOLE = ("split_seed", "fold", "seed", "k", "n_users")
REAL = ("value", "stderr", "peak_mb")


def table(header: Sequence[str], rows: Iterable[CsvRow]) -> Any:
    """Return a pyarrow.Table whose types do not depend on the rows; None is null.

    int64 for seeds, folds, cutoffs and counts, float64 for measurements, seconds (`_s`) and megabytes, text
    for the rest, as the CSV shows it.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    arrays = [
        pa.array([visible(v) if isinstance(v, str) else v for v in column], type=_type(name))
        for name, column in zip(header, columns, strict=True)
    ]
    return pa.table(arrays, names=list(header))


def render(header: Sequence[str], rows: Iterable[CsvRow]) -> bytes:
    """Return the whole file; the same rows give the same bytes with the same pyarrow."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table(header, rows), sink, compression="zstd")
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _type(name: str) -> Any:
    import pyarrow as pa

    if name in WHOLE:
        return pa.int64()
    return pa.float64() if name in REAL or name.endswith("_s") else pa.string()
