"""Malformed and hostile data: each file of CASES is refused with the line that bad_inputs.txt holds.

`python tests/data/test_bad_inputs.py` writes the lines of all cases anew, for you to read in the diff.
"""

from __future__ import annotations

import bz2
import datetime
import decimal
import functools
import gzip
import io
import lzma
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bakeoff.data.readers import Table
from bakeoff.errors import UsageError
from bakeoff.run.naming import escape_control_chars
from bakeoff.splits.predefined import Predefined

ANSWERS = Path(__file__).with_name("bad_inputs.txt")
PLAYS = "user,item,plays,when\na,x,3,100\nb,x,1,200\na,y,2,300\n"
VALUE, TIME = {"value": "plays"}, {"value": "plays", "time": "when"}


@dataclass(frozen=True)
class Case:
    """A file of some content, the parameters of its table, and the files beside it."""

    content: bytes | str | Callable[[], bytes] = PLAYS
    file: str = "plays.csv"
    parameters: dict[str, Any] = field(default_factory=lambda: VALUE)
    beside: dict[str, bytes | str] = field(default_factory=dict)
    split: dict[str, Any] | None = None


def parquet(**columns: Any) -> Callable[[], bytes]:
    """Return a function that makes a Parquet file of columns; user and item are a, b and x, y by default."""

    def make() -> bytes:
        arrays = {"user": pa.array(["a", "b"]), "item": pa.array(["x", "y"]), "plays": pa.array([1, 2])}
        arrays |= {
            n: c if isinstance(c, pa.Array | pa.ChunkedArray) else pa.array(c) for n, c in columns.items()
        }
        stream = io.BytesIO()
        pq.write_table(pa.table(arrays), stream)
        return stream.getvalue()

    return make


def zipped(*names: str, content: str = PLAYS, encrypted: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    data = bytearray(stream.getvalue())
    if encrypted:  # the flag in the local and in the central header
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + offset] |= 1
    return bytes(data)


def rows(*lines: str, header: str = "user,item,plays,when") -> str:
    return "\n".join([header, "a,x,3,100", *lines, "b,y,1,200"]) + "\n"


def csv_of_values(value: str) -> Case:
    return Case(rows(f"c,x,{value},150"))


def csv_of_times(*times: str) -> Case:
    return Case(rows(*(f"c{n},x,1,{time}" for n, time in enumerate(times))), parameters=TIME)


def ids(column: Any) -> Case:
    return Case(parquet(user=column), "plays.parquet")


def times(column: Any) -> Case:
    return Case(parquet(when=column), "plays.parquet", TIME)


def side(content: str = "", role: str = "users", file: str = "side.csv", **parameters: Any) -> Case:
    table = {"path": file, "key": role[:-1], **({"categorical": ["c"]} | parameters)}
    return Case(parameters={**VALUE, role: table}, beside={"side.csv": content} if content else {})


def changed(**parameters: Any) -> Case:
    return Case(parameters={**VALUE, **parameters})


def where(**condition: Any) -> Case:
    return changed(where=[condition])


def parted(test: bytes | str, file: str = "test.csv", **parameters: Any) -> Case:
    return Case(parameters={**VALUE, **parameters}, beside={"test.csv": test}, split={"test": file})


BOMB = functools.cache(lambda: gzip.compress(b"user,item\n" + b"a,x\nb,y\n" * 400_000))
DAY = datetime.date(2020, 1, 31)
BAD_VALUES = (
    *("", "-1", "nan", "NaN", "inf", "-inf", "1e39", "1e400"),
    *("many", "1_000", "0x10", "1 2", "1;5", "\u0661", "-", "5*"),
)
BAD_TIMES = (
    *("", "soon", "nan", "1e3", "1_0", "1;5", "2020-13-01"),
    *("99999999999999999999", "-9223372036854775808", "9223372036854775807"),
)
HUGE = pa.array([decimal.Decimal(1), decimal.Decimal(10) ** 50], pa.decimal256(60, 0))
NUMBERS: dict[str, Any] = {"categorical": [], "numeric": {"c": "standardise"}}

CASES: dict[str, Case] = {
    # Files that hold no table
    "no such file": Case(file="other.csv"),
    "a folder": Case(parameters={**VALUE, "path": "."}),
    "empty": Case(""),
    "white space alone": Case("\n\n  \n"),
    "line ends alone": Case("\n\n\n"),
    "a header alone": Case("user,item,plays\n"),
    "a header without a line end": Case("user,item,plays"),
    "a byte order mark alone": Case("\ufeff"),
    "one zero byte": Case(b"\0"),
    "zero bytes": Case(b"\0" * 5000),
    "zero bytes without a line end, 3 MB": Case(b"\0" * 3_000_000),
    "one line of 3 MB": Case("a" * 3_000_000),
    "a picture": Case(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
    "a program": Case(b"\x7fELF\x02\x01\x01" + b"\0" * 100),
    "a web page": Case("<!DOCTYPE html>\n<html><body>404, not found</body></html>\n"),
    "JSON lines": Case(
        '{"user": "a", "item": "x", "plays": 1}\n{"user": "b", "item": "y", "plays": 1}\n', "p.jsonl"
    ),
    "a JSON array": Case('[{"user": "a", "item": "x"}]', "p.json"),
    "a pickle": Case(b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94.", "p.pkl"),
    "a workbook": Case(zipped("xl/workbook.xml", "[Content_Types].xml"), "p.xlsx"),
    # Encodings
    "UTF-16": Case(PLAYS.encode("utf-16")),
    "UTF-16 without a mark": Case(PLAYS.encode("utf-16-le")),
    "UTF-32": Case(PLAYS.encode("utf-32")),
    "UTF-8 declared UTF-16": Case(parameters={**VALUE, "encoding": "utf16"}),
    "latin1 in an id": Case(rows("Jos\u00e9,x,1,1").encode("latin1")),
    "latin1 in the header": Case("us\u00e9r,item,plays\na,x,1\n".encode("latin1")),
    "half a character": Case(rows("c\u20ac,x,1,1").encode().replace(b"\xe2\x82\xac", b"\xe2\x82")),
    "a lone surrogate": Case(rows("c,x,1,1").encode().replace(b"c,", b"\xed\xa0\x80,")),
    "an unknown encoding": changed(encoding="utf-9"),
    "an encoding that is no text": changed(encoding="base64"),
    "an encoding with a zero": changed(encoding="utf\0"),
    # Rows and headers
    "a row too short": Case(rows("c,x,1")),
    "a row too long": Case(rows("c,x,1,1,1")),
    "the last row cut off": Case(PLAYS[:-8]),
    "two columns of one name": Case("user,item,plays,plays\na,x,1,1\nb,y,1,1\n"),
    "two columns of users": Case("user,user,item\na,a,x\n", parameters={}),
    "a missing column": Case("user,item\na,x\nb,y\n"),
    "a column in capitals": Case("User,Item,Plays\na,x,1\nb,y,1\n"),
    "a column with spaces": Case("user, item, plays\na, x, 1\nb, y, 1\n"),
    "a header of two lines": Case('"us\ner",item\na,x\nb,y\n'),
    "a header of 20,000 columns": Case(",".join(f"c{n}" for n in range(20_000)) + "\n"),
    "a header of 10 kB": Case("u" * 10_000 + ",item\na,x\nb,y\n"),
    "control characters in the header": Case("us\x1b[31mer,item\na,x\nb,y\n"),
    "an empty header field": Case(",item,plays\na,x,1\nb,y,1\n"),
    "no header": Case("a,x,1\nb,y,1\n"),
    "no header, numbers": Case("1,2,3\n4,5,6\n"),
    "semicolons": Case(PLAYS.replace(",", ";")),
    "tabs in .csv": Case(PLAYS.replace(",", "\t")),
    "commas in .tsv": Case(file="plays.tsv"),
    "a separator of two characters that is not there": changed(separator="::"),
    "an empty separator": changed(separator=""),
    "a separator that is a line end": changed(separator="\n"),
    "a separator that is the quote": changed(separator='"'),
    "a quote of two characters": changed(quote="''"),
    "an open quote": Case(rows('"c,x,1,1')),
    "an open quote at the end": Case(PLAYS + '"d,x,1,1\n'),
    "an open quote and 300 kB": Case(rows('"c,x,1,1', *["c,x,1,1"] * 40_000)),
    "text after a quote": Case(rows('"c"d,x,1,1,5')),
    "columns that are too few": changed(columns=["user", "item"]),
    "columns named twice": changed(columns=["user", "user", "item", "plays"]),
    # Ids
    "no user": Case(rows(",x,1,1")),
    "no item": Case(rows("c,,1,1")),
    "no user in any row": Case("user,item,plays\n,x,1\n,y,1\n"),
    "all rows dropped as incomplete": Case(
        "user,item,plays\n,x,1\n,y,1\n", parameters={**VALUE, "missing": "drop"}
    ),
    "one user": Case("user,item,plays\na,x,1\na,y,1\n"),
    "one item": Case("user,item,plays\na,x,1\nb,x,1\n"),
    "an id of 20 kB": Case(rows("c" * 20_000 + ",x,1,1")),
    "an id of 200 kB": Case(rows("c" * 200_000 + ",x,1,1")),
    "an id of 10 MB": Case(rows("c" * 10_000_000 + ",x,1,1")),
    "an id of 10 MB in Parquet": ids(["a", "b" * 10_000_000]),
    "user and item in one column": changed(item="user"),
    "a value column that is the user": changed(value="user"),
    "an item of no columns": changed(item=[]),
    "ids that are lists": ids([["a"], ["b"]]),
    "ids that are structs": ids([{"id": 1}, {"id": 2}]),
    "ids that are maps": ids(pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64()))),
    "ids that are bytes of no text": ids([b"a", b"\xff\xfe"]),
    "ids of type uint64 above 2^63": ids(pa.array([1, 2**64 - 1], pa.uint64())),
    "ids that are infinite": ids([1.0, float("inf")]),
    "ids that are not whole": ids([1.0, 2.5]),
    "ids that are NaN": ids([1.0, float("nan")]),
    "ids that are all null": ids(pa.nulls(2)),
    "ids that are null texts": ids(pa.nulls(2, pa.string())),
    "one id that is null": ids(["a", None]),
    "ids that are floats above 2^63": ids([1.0, 1e300]),
    # Values
    **{
        f"the value {v!r}": csv_of_values(v) for v in ("", "-1", "nan", "NaN", "inf", "-inf", "1e39", "1e400")
    },
    **{
        f"the value {v!r}": csv_of_values(v)
        for v in ("many", "1_000", "0x10", "1 2", "1;5", "\u0661", "-", "5*")
    },
    "the value '1,5' in quotes": csv_of_values('"1,5"'),
    "a value that is a list": Case(parquet(plays=[[1], [2]]), "plays.parquet"),
    "a value that is a text": Case(parquet(plays=["1", "two"]), "plays.parquet"),
    "a value that is a date": Case(parquet(plays=[DAY, DAY]), "plays.parquet"),
    "a value that is NaN": Case(parquet(plays=[1.0, float("nan")]), "plays.parquet"),
    "a value that is infinite": Case(parquet(plays=[1.0, float("inf")]), "plays.parquet"),
    "a value that is null": Case(parquet(plays=[1, None]), "plays.parquet"),
    "a value that is a huge decimal": Case(
        parquet(plays=pa.array([decimal.Decimal(1), decimal.Decimal(10) ** 50], pa.decimal256(60, 0))),
        "plays.parquet",
    ),
    "a rank beyond from_rank": changed(from_rank=2),
    # Times
    **{
        f"the time {v!r}": csv_of_times(v)
        for v in ("", "soon", "nan", "1e3", "99999999999999999999", "2020-13-01")
    },
    **{
        f"the time {v!r}": csv_of_times(v)
        for v in ("-9223372036854775808", "9223372036854775807", "1,5", "1_0")
    },
    "seconds and milliseconds": csv_of_times("1700000000", "1700000000000"),
    "seconds and nanoseconds": csv_of_times("1700000000", "1700000000000000000"),
    "seconds, and -1 among milliseconds": Case(
        "user,item,when\na,x,1700000000000\nb,y,-1\n", parameters={"time": "when"}
    ),
    "dates in digits": Case("user,item,when\na,x,20200131\nb,y,20200201\n", parameters={"time": "when"}),
    "seconds after the year 9999": Case(
        "user,item,when\na,x,999999999999999\nb,y,1\n", parameters={"time": "when", "time_unit": "s"}
    ),
    "texts after numbers": csv_of_times("2020-01-31"),
    "numbers after texts": Case("user,item,when\na,x,2020-01-31\nb,y,170000\n", parameters={"time": "when"}),
    "a time of the day alone": Case("user,item,when\na,x,12:30\nb,y,12:31\n", parameters={"time": "when"}),
    "a date of another order": Case("user,item,when\na,x,31/01/2020\nb,y,1\n", parameters={"time": "when"}),
    "times that are lists": times([[1], [2]]),
    "times that are booleans": times([True, False]),
    "times that are NaN": times([1.0, float("nan")]),
    "times that are infinite": times([1.0, float("-inf")]),
    "times that are 1e300": times([1.0, 1e300]),
    "times of type uint64 above 2^63": times(pa.array([1, 2**64 - 1], pa.uint64())),
    "times that are durations": times([datetime.timedelta(1), datetime.timedelta(2)]),
    "times that are times of the day": times([datetime.time(1), datetime.time(2)]),
    "times that are bytes": times([b"\xff", b"\xfe"]),
    "times that are null": times(pa.nulls(2, pa.int64())),
    "a time zone that is none": changed(timezone="Europe/Atlantis"),
    "a time zone that is a path": changed(timezone="/etc/passwd"),
    "a time zone that climbs": changed(timezone="../../etc/passwd"),
    # Compression and Parquet
    "text called .gz": Case(PLAYS, "plays.csv.gz"),
    "gzip cut off": Case(gzip.compress(PLAYS.encode() * 100)[:-20], "plays.csv.gz"),
    "gzip with a wrong checksum": Case(gzip.compress(PLAYS.encode())[:-8] + b"\0" * 8, "plays.csv.gz"),
    "gzip of nothing": Case(gzip.compress(b""), "plays.csv.gz"),
    "gzip of zero bytes, 3 MB": Case(gzip.compress(b"\0" * 3_000_000), "plays.csv.gz"),
    "gzip of too many rows": Case(BOMB, "plays.csv.gz", {"memory_limit": 5}),
    "Parquet of too many repeats": Case(
        parquet(**{name: pa.nulls(300_000, pa.int32()).fill_null(1) for name in ("user", "item", "plays")}),
        "plays.parquet",
        {"memory_limit": 2},
    ),
    "text called .bz2": Case(PLAYS, "plays.csv.bz2"),
    "bzip2 cut off": Case(bz2.compress(PLAYS.encode() * 100)[:-20], "plays.csv.bz2"),
    "text called .xz": Case(PLAYS, "plays.csv.xz"),
    "xz cut off": Case(lzma.compress(PLAYS.encode() * 100)[:-20], "plays.csv.xz"),
    "text called .zst": Case(PLAYS, "plays.csv.zst"),
    "text called .lz4": Case(PLAYS, "plays.csv.lz4"),
    "text called .zip": Case(PLAYS, "plays.csv.zip"),
    "a zip of nothing": Case(zipped(), "plays.csv.zip"),
    "a zip of two": Case(zipped("a.csv", "b.csv"), "plays.csv.zip"),
    "a zip of a folder": Case(zipped("a/", content=""), "plays.csv.zip"),
    "an encrypted zip": Case(zipped("a.csv", encrypted=True), "plays.csv.zip"),
    "a zip cut off": Case(zipped("a.csv")[:-30], "plays.csv.zip"),
    "text called .parquet": Case(PLAYS, "plays.parquet"),
    "Parquet called .csv": Case(parquet()),
    "Parquet cut off": Case(lambda: parquet()()[:-10], "plays.parquet"),
    "Parquet without its beginning": Case(lambda: parquet()()[10:], "plays.parquet"),
    "Parquet with a damaged page": Case(
        lambda: (b := parquet()())[:4] + b"\xff" * 40 + b[44:], "plays.parquet"
    ),
    "Parquet of no rows": Case(parquet(user=[], item=[], plays=[]), "plays.parquet"),
    "Parquet without a column": Case(parquet(), "plays.parquet", {"value": "n"}),
    # Side tables
    "a side table that is not there": side(file="other.csv"),
    "an empty side table": side("\n"),
    "a side table of a header": side("user,c\n"),
    "a side table without its key": side("id,c\na,1\n"),
    "a side table without a column": side("user,d\na,1\n"),
    "a side table that matches nobody": side("user,c\nA,1\nB,2\n"),
    "a side table of items that matches none": side("item,c\n1,1\n2,2\n", "items"),
    "a side table of ragged rows": side("user,c\na\nb,1,2\n"),
    "a side table with a text for a number": side(
        "user,c\na,old\n", categorical=[], numeric={"c": "standardise"}
    ),
    "a side table with an infinite number": side(
        "user,c\na,inf\n", categorical=[], numeric={"c": "standardise"}
    ),
    "a bin edge that is NaN": side("user,c\na,1\n", numeric={"c": [1, float("nan")]}),
    "a bin edge that is infinite": side("user,c\na,1\n", numeric={"c": [1, float("inf")]}),
    "a bin edge that is a text": side("user,c\na,1\n", numeric={"c": [1, "old"]}),
    "bin edges that fall": side("user,c\na,1\n", numeric={"c": [2, 1]}),
    "bin edges that are a number": side("user,c\na,1\n", numeric={"c": 3}),
    "no bin edges": side("user,c\na,1\n", numeric={"c": []}),
    "a side table without features": side("user,c\na,1\n", categorical=[]),
    "a side table with an unknown word": side("user,c\na,1\n", colour="red"),
    "flags that are not there": side("user,c\na,1\n", flags={"g": ["d"]}),
    "an empty separator of values": side("user,c\na,1\n", multi={"c": ""}),
    "labels without a key": side("user,c\na,1\n", labels={"c": {"path": "side.csv"}}),
    "a side table that is a text": changed(users="side.csv"),
    # Parts of a split in files
    "a test part that is not there": parted("", "other.csv"),
    "an empty test part": parted(""),
    "a test part of other columns": parted("user,item\na,x\n"),
    "a test part of which nothing passes": parted(
        PLAYS, filters=[{"min_value": 3}, {"k_core": 1}], missing="drop"
    ),
    "a test part that is train": parted(PLAYS),
    "a test part of strangers": parted("user,item,plays\nz,q,1\n"),
    "a test part with a wrong value": parted("user,item,plays\na,y,much\n"),
    # Conditions, filters, transforms
    "a condition on no column": where(present=True),
    "a condition on a column that is not there": where(column="country", present=True),
    "a condition with two tests": where(column="plays", min=1, max=2),
    "a condition with a wrong expression": where(column="user", matches="("),
    "a condition of numbers on texts": where(column="user", min=1),
    "a condition that is NaN": where(column="plays", min=float("nan")),
    "a condition that is a text": where(column="plays", min="many"),
    "a condition that nothing passes": where(column="plays", min=100),
    "a condition that is no mapping": changed(where=["plays > 1"]),
    "an unknown filter": changed(filters=[{"k_cor": 2}]),
    "a filter that is a text": changed(filters=["k_core"]),
    "a filter with two names": changed(filters=[{"k_core": 2, "min_value": 1}]),
    "a filter of half an item": changed(filters=[{"k_core": 1.5}]),
    "a filter of NaN": changed(filters=[{"min_value": float("nan")}]),
    "a filter that leaves nothing": changed(filters=[{"k_core": 10**9}]),
    "a least value without values": Case(parameters={"merge": "max", "filters": [{"min_value": 1}]}),
    "an unknown transform": changed(transform="sqrt"),
    "log1p of -1": Case(rows("c,x,-1,1"), parameters={**VALUE, "negative": "keep", "transform": "log1p"}),
    "clip without a bound": changed(transform="clip"),
    "a bound without clip": changed(clip=3),
    "clip at nothing": changed(transform="clip", clip=0),
    "the last value without times": changed(merge="last"),
    "the order of the file beside times": Case(parameters={**TIME, "merge": "last", "order": "file"}),
    "an unknown order": changed(merge="last", order="time"),
    "an unknown rule of merging": changed(merge="mean"),
    "a memory limit of nothing": changed(memory_limit=0),
}


def answer(case: Case, folder: Path) -> str:
    """Return the line that reading ends with, and its class."""
    content = case.content() if callable(case.content) else case.content
    for name, data in {case.file: content, **case.beside}.items():
        if case.file != "other.csv" or name != case.file:
            (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    try:
        parameters: dict[str, Any] = {"path": case.file} | case.parameters
        for owner in (parameters, *(v for v in parameters.values() if isinstance(v, dict)), case.split or {}):
            for name in {"path", "test"} & owner.keys():
                owner[name] = str(folder / owner[name])
        table = Table(**parameters)
        data = table.load().interactions
        if case.split is not None:
            Predefined(table=table, **case.split).split(data, 0)
    except UsageError as error:
        line = escape_control_chars(" ".join(str(error).split()))  # as the command line prints it
        return f"{type(error).__name__}: {line}".replace(f"{folder}/", "").replace(str(folder), "FOLDER")
    return "accepted"


def answers() -> dict[str, str]:
    lines = ANSWERS.read_text(encoding="utf-8").splitlines()
    return dict(zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_answered_in_one_line(name: str, tmp_path: Path) -> None:
    shown = answer(CASES[name], tmp_path)
    assert shown == answers()[f"# {name}"]
    assert shown != "accepted" and "\n" not in shown and len(shown) < 500


def test_every_answer_has_its_case() -> None:
    assert [*answers()] == [f"# {name}" for name in CASES] and len(CASES) >= 120


def write() -> None:
    """Write the answers of all cases anew."""
    lines = []
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            lines += [f"# {name}", answer(case, Path(folder))]
    ANSWERS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
