"""Tables: what is read, how ids, values and times are understood, and what is said of a bad file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.data.columns import join_key, split_key, to_seconds
from bakeoff.data.readers import Table
from bakeoff.errors import ConfigError, DataError
from bakeoff.splits.predefined import Predefined

PLAYS = "user,item,plays,when\na,x,3,100\nb,x,1,200\na,y,2,300\n"


@pytest.fixture
def table(tmp_path):
    """A table over a file of this text, with the plays as values unless other parameters are given."""

    def make(text=PLAYS, name="plays.csv", **parameters):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Table(path=str(path), **{"value": "plays", **parameters})

    return make


def rows(data):
    """The rows of a data set in the user's own ids."""
    data = getattr(data, "interactions", data)
    columns = [data.user_ids.values[data.users].tolist(), data.item_ids.values[data.items].tolist()]
    columns += [a.tolist() for a in (data.values, data.times) if a is not None]
    return list(zip(*columns, strict=True))


def refused(source, *parts):
    """The one line that loading ends with; it must hold all parts."""
    with pytest.raises(DataError) as caught:
        source.load()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


class TestWhatIsRead:
    def test_a_csv_gives_its_rows_in_the_users_own_ids(self, table):
        assert rows(table(time="when").load()) == [("a", "x", 3, 100), ("a", "y", 2, 300), ("b", "x", 1, 200)]

    def test_values_and_times_are_optional(self, table):
        data = table(value=None).load().interactions
        assert data.values is None
        assert data.times is None

    def test_the_name_is_the_files_stem_unless_it_is_given(self, table):
        assert table(name="plays.csv").name == "plays"
        assert table(name="plays.v2.tsv.gz").name == "plays.v2"
        assert replace(table(), name="mine").name == "mine"

    def test_a_tsv_is_told_by_its_suffix(self, table):
        assert len(rows(table(PLAYS.replace(",", "\t"), "plays.tsv").load())) == 3

    @pytest.mark.parametrize(
        ("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
    )
    def test_compressed_files_are_told_by_their_suffix(self, table, suffix, pack):
        assert rows(table(pack(PLAYS.encode()), f"plays.csv.{suffix}").load()) == rows(table().load())

    def test_a_zip_with_one_file_is_read_and_one_with_two_is_refused(self, tmp_path, table):
        for inside in (["a.csv"], ["a.csv", "b.csv"]):
            with zipfile.ZipFile(tmp_path / "plays.csv.zip", "w") as archive:
                for name in inside:
                    archive.writestr(name, PLAYS)
            source = Table(path=str(tmp_path / "plays.csv.zip"), value="plays")
            if len(inside) == 1:
                assert rows(source.load()) == rows(table().load())
            else:
                refused(source, "2 files inside")

    def test_parquet_gives_the_same_as_csv(self, tmp_path, table):
        frame = pd.DataFrame(
            {"user": list("aba"), "item": list("xxy"), "plays": [3, 1, 2], "when": [100, 200, 300]}
        )
        frame.to_parquet(tmp_path / "plays.parquet")
        parquet = Table(path=str(tmp_path / "plays.parquet"), value="plays", time="when")
        assert rows(parquet.load()) == rows(table(time="when").load())

    def test_a_file_without_a_header_has_its_columns_named(self, table):
        source = table("a|x|3\nb|y|1\n", "p.data", columns=["who", "what", "n"], separator="|")
        assert rows(replace(source, user="who", item="what", value="n").load()) == [
            ("a", "x", 3),
            ("b", "y", 1),
        ]

    @pytest.mark.parametrize("lines", [2, 200_000])
    def test_a_separator_may_have_several_characters(self, table, lines):
        text = "".join(f"{n}::{n % 7}:::{n % 5}\n" for n in range(lines))
        source = table(text, columns=["user", "item", "plays"], separator="::")
        # The first "::" counts: what is left of ":::" begins the next field.
        refused(source, "row 1", "':0'")
        good = table(text.replace(":::", "::"), columns=["user", "item", "plays"], separator="::")
        data = good.load().interactions
        assert len(data) == lines
        assert int(data.values.sum()) == sum(n % 5 for n in range(lines))

    def test_quotes_hold_separators_and_line_ends(self, table):
        text = 'user,item,plays\n"a, the first","x\ny",3\nb,"say ""z""",1\n'
        assert rows(table(text).load()) == [("a, the first", "x\ny", 3), ("b", 'say "z"', 1)]

    def test_quotes_are_text_where_they_are_switched_off(self, table):
        assert rows(table('user,item,plays\n"a,x,3\nb",y,1\n', quote=None).load())[0] == ('"a', "x", 3)

    def test_latin1_is_read_as_declared(self, table):
        text = "user,item,plays\nJosé,x,1\nb,y,1\n".encode("latin1")
        assert rows(table(text, encoding="latin1").load())[0] == ("José", "x", 1)
        refused(table(text), "row 2", "'user'", "not utf8", "encoding")

    def test_a_byte_order_mark_is_no_part_of_a_name(self, table):
        assert len(rows(table("\ufeff" + PLAYS).load())) == 3

    def test_windows_line_ends_and_blank_lines_do_not_matter(self, table):
        assert rows(table(PLAYS.replace("\n", "\r\n") + "\r\n").load()) == rows(table().load())

    def test_unused_columns_may_hold_anything(self, table):
        assert len(rows(table(PLAYS.replace("100", "never")).load())) == 3

    def test_row_order_changes_nothing(self, table):
        header, *body = PLAYS.splitlines()
        turned = "\n".join([header, *body[::-1]])
        assert (
            table(time="when").load().interactions.fingerprint
            == table(turned, time="when").load().interactions.fingerprint
        )

    def test_many_batches_are_coded_against_one_list(self, table):
        frame = pd.DataFrame(
            {"user": np.arange(300_000) % 70_001, "item": np.arange(300_000) % 13, "plays": 1}
        )
        frame["user"] = "u" + frame["user"].astype(str)
        data = table(frame.to_csv(index=False), merge="sum").load().interactions
        counts = frame.groupby(["user", "item"], sort=True)["plays"].sum().reset_index()
        assert rows(data) == list(counts.itertuples(index=False, name=None))


class TestIds:
    def test_whole_numbers_become_numbers(self, table):
        data = table("user,item,plays\n10,1,1\n9,-2,1\n").load().interactions
        assert data.user_ids.values.tolist() == [9, 10]
        assert data.item_ids.values.tolist() == [-2, 1]

    @pytest.mark.parametrize("odd", ["007", "1.0", "+5", "-0", "1e3", "9223372036854775808", "x"])
    def test_one_id_that_is_not_printed_as_its_number_keeps_all_as_texts(self, table, odd):
        data = table(f"user,item,plays\n{odd},1,1\n8,2,1\n").load().interactions
        assert set(data.user_ids.values.tolist()) == {odd, "8"}

    def test_an_id_called_na_or_null_is_an_id(self, table):
        data = table("user,item,plays\nNA,null,1\nNaN,None,1\n").load().interactions
        assert data.user_ids.values.tolist() == ["NA", "NaN"]

    def test_numbers_and_their_texts_have_one_fingerprint(self, tmp_path, table):
        frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "plays": [1.0, 2.0]})
        prints = []
        for name, kind in (("i", "int32"), ("s", "str"), ("f", "float64"), ("c", "category")):
            frame.astype({"user": kind}).to_parquet(tmp_path / f"{name}.parquet")
            prints.append(
                Table(path=str(tmp_path / f"{name}.parquet"), value="plays").load().interactions.fingerprint
            )
        prints.append(table(frame.to_csv(index=False)).load().interactions.fingerprint)
        assert len(set(prints)) == 1

    def test_a_broken_number_is_no_id(self, tmp_path):
        pd.DataFrame({"user": [1, 2.5], "item": ["a", "b"]}).to_parquet(tmp_path / "p.parquet")
        refused(Table(path=str(tmp_path / "p.parquet")), "row 2", "'user'", "2.5")

    def test_several_columns_are_one_key(self, table):
        text = "user,track,artist,plays\na,Home,Blur,1\nb,Home,Muse,1\na,A|B,C\\,1\n"
        data = table(text, item=["track", "artist"]).load().interactions
        assert data.item_ids.values.tolist() == ["A\\|B | C\\\\", "Home | Blur", "Home | Muse"]
        assert [split_key(v) for v in data.item_ids.values] == [
            ["A|B", "C\\"],
            ["Home", "Blur"],
            ["Home", "Muse"],
        ]

    @given(st.lists(st.text(alphabet="a| \\\n"), min_size=2, max_size=4))
    def test_a_joined_key_gives_its_parts_back(self, parts):
        assert split_key(join_key(parts)) == parts

    def test_joined_keys_do_not_collide(self, table):
        text = "user,track,artist,plays\na,x | y,z,1\nb,x,y | z,1\n"
        assert len(table(text, item=["track", "artist"]).load().interactions.item_ids) == 2


class TestMerging:
    TWICE = "user,item,plays,when\na,x,3,200\nb,y,1,100\na,x,2,300\na,x,5,100\n"

    @pytest.mark.parametrize(("rule", "value"), [("sum", 10), ("max", 5)])
    def test_pairs_are_merged_at_once_where_there_are_no_times(self, table, rule, value):
        dataset = table(self.TWICE, merge=rule).load()
        assert rows(dataset)[0] == ("a", "x", value)
        assert dataset.steps[1].name == f"merge ({rule})"
        assert dataset.steps[1].note == "2 rows merged into the pair that they repeat"
        assert dataset.steps[1].rows == 2

    def test_events_stay_where_there_are_times_and_are_counted(self, table):
        dataset = table(self.TWICE, merge="last", time="when").load()
        assert len(dataset.interactions) == 4
        assert "a split by time cuts the rows" in dataset.steps[1].note
        assert rows(dataset.interactions.merged())[0] == ("a", "x", 2, 300)

    def test_rows_without_values_sum_to_their_number(self, table):
        assert rows(table(self.TWICE, value=None).load()) == [("a", "x", 3), ("b", "y", 1)]


class TestTimes:
    MOMENT = 1_580_000_000

    def read(self, table, texts, **parameters):
        lines = "".join(f'u{n},i{n},1,"{text}"\n' for n, text in enumerate(texts))
        data = table("user,item,plays,when\n" + lines, time="when", **parameters).load().interactions
        return data.times.tolist()

    @pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
    def test_unix_numbers_are_told_by_their_size(self, table, unit, factor):
        texts = [str(self.MOMENT * factor), str((self.MOMENT + 5) * factor)]
        assert self.read(table, texts) == [self.MOMENT, self.MOMENT + 5]
        assert self.read(table, texts, time_unit=unit) == [self.MOMENT, self.MOMENT + 5]

    def test_a_declared_unit_wins_over_the_guess(self, table):
        assert self.read(table, ["5000", "7999"], time_unit="ms") == [5, 7]

    def test_fractions_of_a_second_are_cut_off(self, table):
        assert self.read(table, ["100.9", "-0.5"]) == [100, -1]

    @pytest.mark.parametrize(
        "text",
        [
            "2020-01-26T00:53:20Z",
            "2020-01-26 00:53:20",
            "2020-01-26T00:53:20.999",
            "2020-01-26T02:53:20+02:00",
            "2020-01-26T02:53:20.123456789+02:00",
            "20200126T005320Z",
        ],
    )
    def test_iso_texts_are_read_with_and_without_offset(self, table, text):
        assert self.read(table, [text, text]) == [self.MOMENT, self.MOMENT]

    def test_one_column_may_mix_offsets(self, table):
        assert self.read(table, ["2020-01-26T00:53:20", "2020-01-26T01:53:20+01:00"]) == [self.MOMENT] * 2

    def test_a_date_is_its_first_second(self, table):
        assert self.read(table, ["1970-01-02", "1970-01-03"]) == [86_400, 2 * 86_400]

    @pytest.mark.parametrize("text", ["2020-07-01T12:00:00", "2020-07-01T12:00:00.000000001"])
    def test_times_without_a_zone_are_of_the_declared_one(self, table, text):
        expected = int(datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/London")).timestamp())
        assert self.read(table, [text, text], timezone="Europe/London") == [expected, expected]

    def test_the_hour_that_a_clock_shows_twice_is_the_first(self, table):
        expected = int(datetime(2020, 10, 25, 0, 30, tzinfo=UTC).timestamp())
        assert self.read(table, ["2020-10-25T01:30:00"] * 2, timezone="Europe/London") == [expected] * 2

    @settings(max_examples=40)
    @given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), st.integers(-12, 14))
    def test_parquet_timestamps_of_any_zone_and_unit_are_unix_seconds(self, tmp_path_factory, moment, hours):
        aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
        path = tmp_path_factory.mktemp("p") / "p.parquet"
        for unit in ("s", "ms", "us"):
            times = pa.array([aware] * 2, pa.timestamp(unit, "America/New_York"))
            pq.write_table(pa.table({"user": [1, 2], "item": [1, 2], "when": times}), path)
            assert (
                Table(path=str(path), time="when").load().interactions.times.tolist()
                == [int(aware.timestamp())] * 2
            )

    def test_parquet_dates_and_clocks_without_a_zone(self, tmp_path):
        naive = pa.array([datetime(2020, 7, 1, 12)] * 2, pa.timestamp("ms"))
        days = pa.array([datetime(1970, 1, 3).date()] * 2)
        pq.write_table(
            pa.table({"user": [1, 2], "item": [1, 2], "when": naive, "day": days}), tmp_path / "p.parquet"
        )
        source = Table(path=str(tmp_path / "p.parquet"), time="when", timezone="Europe/London")
        assert source.load().interactions.times[0] == int(datetime(2020, 7, 1, 11, tzinfo=UTC).timestamp())
        assert replace(source, time="day", timezone="UTC").load().interactions.times[0] == 2 * 86_400

    @pytest.mark.parametrize("text", ["soon", "1 Feb 2007", "2020-13-01"])
    def test_what_is_no_time_is_named(self, table, text):
        source = table(f"user,item,plays,when\na,x,1,2020-01-01\nb,y,1,{text}\n", time="when")
        refused(source, "plays.csv: row 3, column 'when'", repr(text), "ISO 8601")

    def test_a_text_among_unix_numbers_is_named(self, table):
        refused(table(PLAYS.replace("200", "soon"), time="when"), "row 3, column 'when'", "'soon'", "unix")

    def test_an_infinite_time_is_named(self, table):
        refused(
            table(PLAYS.replace("100", "1.5").replace("200", "inf"), time="when"),
            "row 3, column 'when'",
            "inf",
        )

    def test_dates_in_digits_are_not_taken_for_seconds(self, table):
        text = "user,item,plays,when\na,x,3,20200131\nb,y,1,20200201\n"
        source = table(text, time="when")
        refused(source, "column 'when': found 20200131", "dataset.time_unit=s")
        assert replace(source, time_unit="s").load().interactions.times.max() == 20200201

    def test_the_largest_number_tells_the_unit_of_all(self):
        assert to_seconds(np.array([0, 10**11]), "auto").tolist() == [0, 10**8]


class TestBadFiles:
    def test_a_missing_file(self, tmp_path):
        refused(Table(path=str(tmp_path / "none.csv")), "none.csv: no such file")

    def test_an_empty_file(self, table):
        refused(table(""), "plays.csv: the file is empty")

    def test_a_file_of_blank_lines(self, table):
        refused(table("\n\n"), "plays.csv: the file is empty")

    def test_a_header_without_rows(self, table):
        refused(table("user,item,plays\n"), "plays.csv: no rows")

    def test_a_missing_column_with_the_nearest(self, table):
        refused(table(user="usr"), "no column 'usr', which dataset.user names; did you mean 'user'?", "plays")

    def test_the_wrong_separator_is_guessed(self, table):
        refused(table(PLAYS.replace(",", ";")), "no column 'user'", "is ',' the separator?")
        refused(table(PLAYS.replace(",", ";")), "try \"dataset.separator=';'\"")
        tabs = table(PLAYS.replace(",", "\t"))
        refused(tabs, r'''try "dataset.separator='\t'"''')
        assert len(replace(tabs, separator=r"\t").load().interactions)

    def test_two_columns_of_one_name_are_refused(self, table):
        refused(table("user,item,user\na,x,1\n"), "2 columns are called 'user', which dataset.user names")

    def test_a_folder_and_text_in_utf16_are_told(self, table, tmp_path):
        refused(replace(table(PLAYS), path=str(tmp_path)), "a folder; expected a file")
        (tmp_path / "wide.csv").write_text(PLAYS, encoding="utf16")
        refused(replace(table(PLAYS), path=str(tmp_path / "wide.csv")), "dataset.encoding=utf16")

    def test_a_text_where_a_number_is_due(self, table):
        refused(
            table(PLAYS.replace("b,x,1", "b,x,many")),
            "plays.csv: row 3, column 'plays'",
            "'many'",
            "a number",
        )

    def test_the_row_is_the_line_whatever_stands_before_it(self, table):
        text = 'user,item,plays\n\n"a\nb",x,1\nc,y,many\n'
        refused(table(text), "row 5, column 'plays'")

    def test_a_text_in_a_compressed_file(self, table):
        refused(
            table(gzip.compress(PLAYS.replace("b,x,1", "b,x,many").encode()), "p.csv.gz"), "row 3", "'many'"
        )

    def test_a_text_far_down_a_large_file(self, table):
        lines = "".join(f"u{n},i{n % 9},1\n" for n in range(200_000)) + "a,b,many\n"
        refused(table("user,item,plays\n" + lines), "row 200002, column 'plays'")

    @pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "1e39"])
    def test_values_that_are_not_finite(self, table, text):
        refused(table(PLAYS.replace("b,x,1", f"b,x,{text}")), "row 3, column 'plays'", "expected a")

    def test_a_negative_value_unless_it_is_kept(self, table):
        text = PLAYS.replace("b,x,1", "b,x,-1")
        refused(table(text), "row 3, column 'plays': found -1.0", "dataset.negative=keep")
        assert rows(table(text, negative="keep").load())[-1] == ("b", "x", -1)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
    def test_the_same_in_parquet(self, tmp_path, value):
        # Through Arrow, because pandas writes NaN as nothing.
        columns = {"user": ["a", "b"], "item": ["x", "y"], "plays": [1.0, value]}
        pq.write_table(pa.table(columns), tmp_path / "p.parquet")
        refused(Table(path=str(tmp_path / "p.parquet"), value="plays"), "p.parquet: row 2, column 'plays'")

    def test_a_text_in_a_parquet_column_of_numbers(self, tmp_path):
        pq.write_table(
            pa.table({"user": ["a", "b"], "item": ["x", "y"], "plays": ["1", "many"]}), tmp_path / "p.parquet"
        )
        refused(Table(path=str(tmp_path / "p.parquet"), value="plays"), "row 2, column 'plays'", "'many'")

    def test_numbers_as_texts_in_parquet_are_numbers(self, tmp_path):
        pq.write_table(
            pa.table({"user": ["a", "b"], "item": ["x", "y"], "plays": ["1", "2"]}), tmp_path / "p.parquet"
        )
        assert rows(Table(path=str(tmp_path / "p.parquet"), value="plays").load())[1] == ("b", "y", 2)

    def test_a_parquet_file_that_is_none(self, tmp_path):
        (tmp_path / "p.parquet").write_text("user,item\n")
        refused(Table(path=str(tmp_path / "p.parquet")), "not a Parquet file")

    def test_a_line_with_a_field_too_many(self, table):
        refused(table(PLAYS + "c,z,1,400,5\n"), "row 5: found 5 fields, expected 4")

    def test_a_quote_left_open(self, table):
        lines = "".join(f"u{n},i{n},1\n" for n in range(200_000))
        refused(table('user,item,plays\na,"x,1\n' + lines), "plays.csv: row", "is a quote left open?")

    def test_a_gzip_that_is_none(self, table):
        refused(table(PLAYS, "plays.csv.gz"), "plays.csv.gz")

    def test_a_gzip_that_ends_too_soon(self, table):
        packed = gzip.compress(
            ("user,item,plays\n" + "".join(f"u{n},i{n},{n}\n" for n in range(50_000))).encode()
        )
        refused(table(packed[:-2000], "plays.csv.gz"), "plays.csv.gz")

    @pytest.mark.parametrize("column", ["user", "item", "plays", "when"])
    def test_an_empty_field_unless_such_rows_are_dropped(self, table, column):
        fields = ["c", "z", "1", "400"]
        fields["user item plays when".split().index(column)] = ""
        source = table(PLAYS + ",".join(fields) + "\n", time="when")
        refused(source, f"row 5, column '{column}'", "found nothing", "dataset.missing=drop")
        dataset = replace(source, missing="drop").load()
        assert len(dataset.interactions) == 3
        assert [s.note for s in dataset.steps if s.name == "nothing missing"] == ["1 rows removed"]

    @pytest.mark.parametrize("part", [0, 1])
    def test_a_key_that_lacks_a_part_is_missing(self, table, part):
        parts = ["Home", "Blur"]
        parts[part] = ""
        text = f"user,track,artist,plays\na,Home,Muse,1\nb,{parts[0]},{parts[1]},1\nc,Home,Blur,2\n"
        source = table(text, item=["track", "artist"])
        refused(source, "row 3", repr(["track", "artist"][part]))
        assert len(replace(source, missing="drop").load().interactions) == 2

    def test_a_single_user(self, table):
        refused(table("user,item,plays\na,x,1\na,y,1\n"), "only one user (a)", "at least 2 users")

    def test_a_single_item(self, table):
        refused(table("user,item,plays\na,x,1\nb,x,1\n"), "only one item (x)", "at least 2 items")

    def test_a_rank_beyond_its_base(self, table):
        source = table("user,item,plays\na,x,1\nb,y,52\n", from_rank=51)
        refused(source, "row 3, column 'plays': found 52.0", "51 - rank")
        assert rows(replace(source, from_rank=53).load()) == [("a", "x", 52), ("b", "y", 1)]


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"path": None}, "dataset.path: no file"),
            ({"merge": "mean"}, "dataset.merge='mean'"),
            ({"negative": "maybe"}, "dataset.negative"),
            ({"missing": "fill"}, "dataset.missing"),
            ({"transform": "sqrt"}, "dataset.transform"),
            ({"transform": "clip"}, "dataset.clip=None"),
            ({"clip": 3}, "dataset.clip=3"),
            ({"transform": "clip", "clip": -1}, "dataset.clip=-1"),
            ({"timezone": "Mars/Olympus"}, "dataset.timezone"),
            ({"time_unit": "days"}, "dataset.time_unit"),
            ({"encoding": "latin9000"}, "encoding='latin9000'"),
            ({"separator": ""}, "separator=''"),
            ({"quote": "''"}, "quote=\"''\""),
            ({"filters": [{"k_cor": 5}]}, r"dataset.filters\[0\]: no filter 'k_cor'; did you mean 'k_core'"),
            ({"filters": [{"k_core": 0}]}, "k_core=0"),
            ({"filters": [{"k_core": 2, "min_value": 3}]}, "expected one name"),
            ({"where": [{"column": "a"}]}, "dataset.where, column 'a': expected one test"),
            ({"where": [{"column": "a", "matches": "("}]}, "dataset.where, column 'a'"),
            (
                {"where": [{"colum": "a"}]},
                r"dataset.where\[0\].colum: no such parameter; did you mean 'column'",
            ),
            ({"where": [{"min": 1}]}, r"dataset.where\[0\].column: no value"),
            ({"users": {"path": "u.csv"}}, "dataset.users: no features"),
            ({"users": {"categoric": ["a"]}}, "dataset.users.categoric: no such parameter"),
            ({"users": {"numeric": {"age": [5, 3]}}}, "dataset.users.numeric.age"),
            ({"origin": {"folder": "x"}}, "dataset.origin.home: no value"),
        ],
    )
    def test_a_wrong_parameter_is_told_before_anything_is_read(self, parameters, message):
        with pytest.raises(ConfigError, match=message):
            Table(**{"path": "nowhere.csv", **parameters})

    def test_one_column_cannot_be_two_things(self, table):
        with pytest.raises(ConfigError, match=r"dataset\.value='user'"):
            table(value="user").load()


class TestIdentity:
    def test_it_knows_content_not_paths_or_names(self, tmp_path, table):
        one = table()
        (tmp_path / "copy.csv").write_text(PLAYS)
        assert replace(one, path=str(tmp_path / "copy.csv"), name="copy").identity() == one.identity()

    def test_another_byte_or_parameter_is_another_identity(self, table):
        before = table().identity()
        assert replace(table(), merge="max").identity() != before
        assert table(PLAYS + "c,z,1,400\n").identity() != before

    def test_it_is_json_with_a_digest_a_file(self, tmp_path, table):
        import json

        (tmp_path / "u.csv").write_text("user,country\na,UK\n")
        source = table(users={"path": str(tmp_path / "u.csv"), "categorical": ["country"]})
        identity = json.loads(json.dumps(source.identity()))
        assert set(identity["files"]) == {"rows", "users"}
        assert str(tmp_path) not in json.dumps(identity)

    def test_files_name_what_is_read(self, tmp_path, table):
        assert table().files() == {"rows": tmp_path / "plays.csv"}


def test_another_file_of_the_same_columns_is_read_alike(tmp_path, table):
    source = table(transform="log1p")
    (tmp_path / "test.csv").write_text("user,item,plays\nz,x,1\nz,x,2\n")
    other, steps = source.part(str(tmp_path / "test.csv"), "test", source.load().interactions)
    assert rows(other) == [("z", "x", pytest.approx(np.log1p(3)))]
    assert [(s.name, s.part, s.rows) for s in steps][:2] == [("read", "test", 2), ("merge (sum)", "test", 1)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=4),
            st.integers(-5, 5),
            st.integers(0, 1000),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_table_comes_back_as_pandas_groups_it(tmp_path_factory, records):
    records = [*records, ("first", 1, 1), ("second", 2, 1)]
    frame = pd.DataFrame(records, columns=["user", "item", "n"])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    frame.to_csv(path, index=False, lineterminator="\n")
    expected = frame.groupby(["user", "item"])["n"].sum().to_dict()
    got = {(u, i): v for u, i, v in rows(Table(path=str(path), value="n").load())}
    assert {(str(u), i): v for (u, i), v in got.items()} == expected


def test_ids_that_differ_in_case_spaces_or_leading_zeros_alone_are_counted(table, tmp_path):
    similar = table("user,item\nAnn,007\nann,7\n ann,b\nbob,c\n", value=None)
    (read, *_) = similar.load().steps
    assert "of the user ids 2 differ" in read.note and "of the item ids 1 differ" in read.note
    assert similar.load().interactions.n_users == 4
    assert table("user,item\n1,x\n01,y\n", value=None).load().steps[0].note
    assert not table("user,item\n1,x\n10,y\n", value=None).load().steps[0].note
    (tmp_path / "test.csv").write_text("user,item,plays\nA,y,1\nb,y,1\n")
    split = Predefined(table=table(), test=str(tmp_path / "test.csv")).split(table().load().interactions, 0)
    notes = [step.note for step in split.steps if step.part == "test"]
    assert any("of the user ids of all parts 1 differ" in note for note in notes)


def test_a_declared_unit_allows_what_looks_like_two(table):
    mixed = "user,item,plays,when\na,x,1,0\nb,y,1,5000\nb,x,1,1700000000000\n"
    refused(table(mixed, time="when"), "row 3", "found 5000", "dataset.time_unit")
    data = table(mixed, time="when", time_unit="ms").load().interactions
    assert sorted(data.times.tolist()) == [0, 5, 1_700_000_000]


def test_the_memory_of_rows_is_bounded_while_they_are_read(table):
    """Eight megabytes of rows in 20 kB are refused after two blocks; no key depends on the bound."""
    packed = gzip.compress(b"user,item\n" + b"a,x\nb,y\n" * 1_000_000)
    small = table(packed, "bomb.csv.gz", value=None, memory_limit=4)
    rows_read = int(
        re.search(r"([\d,]+) rows take", refused(small, "dataset.memory_limit"))[1].replace(",", "")
    )
    assert rows_read < 1_000_000
    assert replace(small, memory_limit=100).identity() == small.identity()
