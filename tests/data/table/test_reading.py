"""Reading tables: types from all rows, and one sentence for whatever is wrong."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asked import guess
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.requests import Columns

Write = Callable[[str, "str | bytes"], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to


KINDS = {
    "integer": (["1", "-2", ""], [1, -2, None]),
    "number": (["1.5", "1e3", " NA"], [1.5, 1000.0, None]),
    "infinite": (["1.5", "inf", "NaN"], [1.5, None, None]),
    "boolean": (["true", "False", "?"], [True, False, None]),
    "yes": (["yes", "NO", "None"], [True, False, None]),
    "leading zeros": (["007", "010", "100"], ["007", "010", "100"]),
    "thousands": (['"1,234"', "12", '"1,000,000.5"'], [1234.0, 12.0, 1000000.5]),
    "missing": (["-", "null", "N/A"], [None, None, None]),
    "empty numbers": (["1", "n/a", "N/A", "NA", "na", "NaN", "nan", "null", "-", "?", "", "2.5"],
                      [1.0, *[None] * 10, 2.5]),
    "words": (["a", "1", "-"], ["a", "1", None]),
    "date": (["2020-01-31", "2020-02-01", ""], [date(2020, 1, 31), date(2020, 2, 1), None]),
    "month": (["1949-01", "1949-02", ""], [date(1949, 1, 1), date(1949, 2, 1), None]),
    "quarter": (["1949Q1", "1949-Q2", ""], [date(1949, 1, 1), date(1949, 4, 1), None]),
    "quarters": (["1949 q1", "2Q1949", "Q3-1949"],
                 [date(1949, 1, 1), date(1949, 4, 1), date(1949, 7, 1)]),
    "clock": (["2016-07-01 00:00:00", "2016-07-01 01:00:00.5", ""],
              [datetime(2016, 7, 1), datetime(2016, 7, 1, 1, 0, 0, 500000), None]),
    "offsets": (["2020-01-01T10:00:00Z", "2020-01-01T12:00:00+02:00", ""],
                [datetime(2020, 1, 1, 10, tzinfo=UTC)] * 2 + [None]),
    "day first": (["01/02/2020", "13/02/2020", ""], [date(2020, 2, 1), date(2020, 2, 13), None]),
    "month first": (["1/2/20", "1/31/20", ""], [date(2020, 1, 2), date(2020, 1, 31), None]),
    "months": (["01.01.2020", "01.02.2020", "01.03.2020"],
               [date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1)]),
    "afternoon": (["1/31/2020 3:00 PM", "2/1/2020 4:30 AM", ""],
                  [datetime(2020, 1, 31, 15), datetime(2020, 2, 1, 4, 30), None]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_text_becomes_what_all_rows_are(write: Write, kind: str) -> None:
    text, values = KINDS[kind]
    rows = "".join(f"{number},{value}\n" for number, value in enumerate(text))
    table = read(write("table.csv", f"row,value\n{rows}"))
    assert table.frame.collect()["value"].to_list() == values
    assert table.rows == len(text)
    assert not table.faults


def test_types_come_from_the_whole_file(write: Write) -> None:
    rows = "".join(f"{number},{number}\n" for number in range(5000))
    table = read(write("late.csv", f"a,b\n{rows}5000,0.5\nx,1\ny,2\n" + "x,1\n" * 5000))
    assert dict(table.schema) == {"a": pl.String(), "b": pl.Float64()}
    assert "a" not in table.faults  # half of it are words


@pytest.mark.parametrize(("delimiter", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "vert")])
def test_other_delimiters_are_found_and_said(write: Write, delimiter: str, name: str) -> None:
    lines = ['"a, of it"|b|time', "1,5|2|01.02.2020", "-2,25|3|15.02.2020"]
    table = read(write("table.csv", "\n".join(lines).replace("|", delimiter)))
    assert table.frame.collect()["a, of it"].to_list() == [1.5, -2.25]
    assert table.schema["time"] == pl.Date
    (found,) = table.guesses
    assert found.value.startswith(name)
    assert read(table.source, delimiter=delimiter).schema == table.schema


def test_quotes_empty_lines_and_marks(write: Write) -> None:
    text = '\ufeff"a","b"\r\n"x, ""y""\nz",1\r\n\r\nw,2\r\n\r\n'
    table = read(write("table.csv", text))
    assert table.frame.collect().rows() == [('x, "y"\nz', 1), ("w", 2)]
    assert table.where(1) == "row 2 (line 5) of table.csv"


def test_times_in_several_columns(write: Write) -> None:
    rows = "".join(f"{n},2010,1,{1 + n // 24},{n % 24},{n * n % 7}\n" for n in range(60))
    table = read(write("table.csv", f"No,year,month,day,hour,v\n{rows}"))
    assert table.frame.collect()["time"][25] == datetime(2010, 1, 2, 1)
    assert table.derived == {"time": "year, month, day and hour"}
    table = read(write("clock.csv", "Date,Time,v\n10/03/2004,18.00.00,1\n13/03/2004,19.30.00,2\n"))
    assert table.frame.collect()["datetime"].to_list() == [
        datetime(2004, 3, 10, 18), datetime(2004, 3, 13, 19, 30),
    ]  # fmt: skip
    # 30 February is no day: the columns are what they are.
    assert not read(write("odd.csv", "year,month,day\n2001,2,30\n2001,2,3\n")).derived


NUMBERS = "".join(f"{number},{number}\n" for number in range(20))
BAD: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("t.csv", "", r"t\.csv is empty; expected a table"),
    "blank": ("t.csv", "\n\n", r"t\.csv is empty: expected a line of column names"),
    "header only": ("t.csv", "a,b\n", r"names of columns and no rows: add"),
    "short": ("t.csv", "a,b\n1,2\n3\n", r"t\.csv, line 3: found 1 field, expected 2"),
    "long": ("t.csv", 'a,b\n"x\ny",2\n1,2,3\n', r"line 4: found 3 fields, expected 2"),
    "spaces": ("t.csv", "a b\n1 2\n3 4\n", r"divided by a space \(2 on each line\)"),
    "twice": ("t.csv", "a,b,a\n1,2,3\n", r"line 1: columns 1 and 3 are both named 'a'"),
    "star": ("t.csv", "a,*\n1,2\n", r"line 1: column 2 is named '\*', which is a pattern of na"),
    "pattern": ("t.ndjson", '{"^.*$": 1, "a": 2}\n', r"t\.ndjson: column 1 is named '\^\.\*\$'"),
    "no header": ("t.csv", "1949-01,112\n1949-02,118\n", r"line 1: expected names of columns"),
    "latin": ("t.csv", "a,b\n1,é\n".encode("latin-1"), r"line 2: byte 0xe9 at offset 6 is not UTF"),
    "utf-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), r"is UTF-16 text \(byte 0, line 1\)"),
    "binary": ("t.csv", b"a,b\n1,\x002\n", r"line 2: byte 0x00 at offset 6 is not text"),
    "returns": ("t.csv", "a,b\r1,2\r", r"carriage return only"),
    "open quote": ("t.csv", 'a,b\n"1,2\n3,4\n', r"line 2: a quote \(\"\) is not closed"),
    "unknown": ("t.xlsx", b"PK", r"ends in \.xlsx; files of CSV, TSV, NDJSON, Parquet or Arrow"),
    "quotes": (
        "t.csv",
        "a,b\n" + '5" pipe,2\n' * 20,
        r'line 2: a quote \("\) stands in the middle',
    ),
    "quote": ("t.csv", "a,b\n" + "x,1\n" * 8 + '5" y,1\nz,8\n5" y,9\n', r"line 10: a quote"),
    "last quotes": (
        "t.csv",
        "a,b\n" + '2,5"\n' * 21,
        r'line 2: a quote \("\) stands in the middle',
    ),
    "quote in space": ("t.csv", 'a,b\n1, "x,y"\n2, "y"\n', r"line 2: a quote"),
    "after a quote": ("t.csv", 'a,b\n1,2\n"x"9,1\n', r"line 3: a quote"),
    "late byte": ("t.csv", b"a,b\n" + b"1,2\n" * 300 + b'\x8a"x,\n1\n', r"line 302: byte 0x8a"),
    "parquet": ("t.parquet", b"PAR1xxxxxxxxxxxPAR1", r"t\.parquet is damaged .*write it"),
    "cut parquet": ("t.parquet", b"PAR1xxxxxxxxxxx", r"t\.parquet is cut: .*write it"),
    "no parquet": ("t.parquet", b"a,b\n1,2\n", r"t\.parquet is no Parquet file, whatever"),
    "encrypted": ("t.parquet", b"PARExxxxxxxxxxxPARE", r"t\.parquet is an encrypted"),
    "arrow": ("t.arrow", b"ARROW1xxxxxxxxxxxARROW1", r"t\.arrow is damaged .*write it"),
    "cut arrow": ("t.arrow", b"ARROW1xxxxxxxxxxx", r"t\.arrow is cut: .*write it"),
    "arrow stream": ("t.arrow", b"\xff\xff\xff\xff\0\0\0\0", r"t\.arrow is a stream of Arrow"),
    "feather 1": ("t.feather", b"FEA1xxxxFEA1", r"t\.feather is a Feather file of version 1"),
    "json": ("t.ndjson", '{"a":1}\n\n{"a":\n', r"line 3: expected one JSON object a line"),
    "json array": (
        "t.jsonl",
        '[{"a":1}]\n',
        r"line 1: expected one JSON object a line.*found a li",
    ),
    "json null": ("t.jsonl", '{"a":1}\nnull\n', r"line 2: expected one JSON .*, found null; write"),
    "json words": (
        "t.jsonl",
        '{"a":1}\n{a:1}\n',
        r"line 2: .*, found what is not JSON; write it so",
    ),
    "json nan": ("t.jsonl", '{"a":NaN}\n', r"line 1: .*found NaN, for which JSON has null; write"),
    "json deep": ("t.jsonl", "[" * 100_000, r"line 1: .*, found what is not JSON; write it so"),
    "json types": (
        "t.jsonl",
        '{"a":true}\n{"a":2}\n',
        r"line 2: column 'a' holds a number, and tr",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_told_in_a_sentence(write: Write, what: str) -> None:
    name, content, message = BAD[what]
    path = write(name, content)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_missing_files_folders_and_things(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="is a folder"):
        read(str(tmp_path))
    with pytest.raises(InputError, match="expected a path or a data frame"):
        read(3)
    with pytest.raises(InputError, match="no rows"):
        read(pl.DataFrame({"a": []}))


@pytest.mark.parametrize("delimiter", ["", "\n", "\r", '"', "::", "é", "\0"])
def test_what_cannot_divide_fields(write: Write, delimiter: str) -> None:
    with pytest.raises(InputError, match=r"^`delimiter` is to be one character other than a quote"):
        read(write("t.csv", "a,b\n1,2\n"), delimiter=delimiter)


def test_quotes_within_fields_that_hide_nothing(write: Write) -> None:
    text = 'a,b\nthe "old" one,1\n"a ""b"", c",2\n"""x",3\n"",4\n' + '2 "x" y,5\n' * 9
    table = read(write("t.csv", text))
    words = ['the "old" one', 'a "b", c', '"x', None]
    assert table.frame.collect()["a"].to_list() == [*words, *['2 "x" y'] * 9]


def test_an_empty_line_is_no_row_and_delimiters_alone_are_one(write: Write) -> None:
    for name in ("b", "row'"):
        table = read(write("t.csv", f"a,{name},c\n1,2,3\n\n,,\n\n4,5,6\n"))
        assert table.frame.collect().rows() == [(1, 2, 3), (None, None, None), (4, 5, 6)]
        assert [table.lines(row) for row in range(3)] == [2, 4, 6]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_damage_is_told_and_nothing_else_is_printed(
    tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"t.{ending}"
    values = {"a": [1, 2, None] * 20, "b": ["x", "y", "a longer word"] * 20, "c": [[1, 2]] * 60}
    WRITERS[ending](pl.DataFrame(values), path)
    whole, draw, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 4))):
            content[draw.randrange(8, len(content) - 8)] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            read(path).frame.collect()
        except InputError as error:
            assert re.match(rf"t\.{ending} (is (damaged|compressed)|cannot)", str(error))  # noqa: PT017
            refused += 1
    assert refused > 30
    assert capfd.readouterr().err == ""


def test_no_column_that_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [[1, 2], [3, 4]], "b": [{"x": 1}, {"x": 2}]}).write_parquet(path)
    with pytest.raises(InputError, match=r"t\.parquet has no column of .*only of lists and struct"):
        read(path)


FAR = pl.Series("t", [None, 0, 2**62, -1])


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_times_that_no_calendar_reaches(unit: Any) -> None:
    """Polars panics where it takes them apart."""
    with pytest.raises(InputError, match="row 3 of the data frame has a t before the year 1 or af"):
        read(FAR.cast(pl.Datetime(unit)).to_frame())


def test_nanoseconds_end_before() -> None:
    assert read(FAR.cast(pl.Datetime("ns")).to_frame()).rows == 4


def test_hours_of_a_zone_that_sets_its_clocks_forward() -> None:
    """The last day of March has no hour from two to three in Paris."""
    times = pl.datetime_range(
        datetime(2024, 3, 1), datetime(2024, 4, 1), "1h", time_zone="Europe/Paris", eager=True
    )
    frame = pl.DataFrame({"t": times, "v": [float(n % 24) for n in range(len(times))]})
    layout, _ = guess(read(frame), Columns(targets=["v"]))
    assert (layout.time, layout.frequency, layout.season) == ("t", "1h", 24)


@pytest.mark.parametrize("flag", ["time", "series", "sequence", "step", "group", "split"])
def test_a_part_that_only_single_values_can_play(flag: str) -> None:
    frame = pl.DataFrame({"a": [[1], [2]], "b": [1.0, 2.0]})
    expected = rf"`{flag}=.a.`: expected single numbers, .*, found lists"
    with pytest.raises(InputError, match=expected):
        guess(read(frame), Columns(targets=["b"], **{flag: "a"}))


def test_a_column_to_predict_where_there_is_one_or_none() -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(4)]
    with pytest.raises(
        InputError, match=r"no column to predict: each holds times or one value only \(y\), or"
    ):
        guess(read(pl.DataFrame({"day": days, "y": [1, 1, 1, 1]})))
    with pytest.raises(InputError, match=r"several columns that could be predicted \(u, z\)"):
        guess(read(pl.DataFrame({"day": days, "u": [1, 2, 3, 5], "z": [1, 4, 2, 2]})))


def test_a_column_of_numbers_and_a_word(write: Write) -> None:
    table = read(write("t.csv", f"a,b\n{NUMBERS}20,x\n"))
    fault = r"column 'b' holds numbers, but in row 21 \(line 22\) of t\.csv it holds 'x'; correct"
    with pytest.raises(InputError, match=fault):
        guess(table, Columns(targets=["b"]))
    with pytest.raises(InputError, match=fault):
        guess(table, Columns(targets=["a"]))
    layout, _ = guess(table, Columns(targets=["a"], categories=["b"]))
    assert layout.categories == ("b",)
    assert guess(table, Columns(targets=["a"], ignore=["b"]))[0].ignored == {"b": "`ignore`"}


def test_dates_that_can_be_read_two_ways(write: Write) -> None:
    rows = "".join(f"0{1 + n % 9}/0{2 + n % 7}/2020,{n * n % 7}\n" for n in range(40))
    with pytest.raises(InputError, match="day first or month first"):
        guess(read(write("t.csv", f"d,v\n{rows}")), Columns(targets=["v"]))


def test_data_frames() -> None:
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    values = {"t": ["2020-01-01", "2020-01-02"], "v": [1.0, float("nan")], "c": ["a", "b"]}
    types = {"t": pl.Date(), "v": pl.Float64(), "c": pl.String()}
    for frame in (
        pd.DataFrame(values),
        pd.DataFrame(values).astype({"c": "category"}),
        pl.DataFrame(values),
        pl.DataFrame(values).lazy(),
        pa.table(values),
    ):
        table = read(frame)
        assert dict(table.schema) == types
        assert table.frame.collect()["v"].to_list() == [1.0, None]
        assert table.where(0) == "row 1 of the data frame"
    index = pd.date_range("2020-01-01", periods=2, freq="h", tz="Europe/Paris")
    assert read(pd.DataFrame({"v": [1, 2]}, index=index)).schema["time"] == pl.Datetime(
        "us", "Europe/Paris"
    )
    months = pd.DataFrame({"v": [1, 2]}, index=pd.period_range("2020-01", periods=2, freq="M"))
    assert read(months).frame.collect()["time"][1] == datetime(2020, 2, 1)
    with pytest.raises(InputError, match="both named 'a'"):
        read(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InputError, match=r"^column 'a' of the data frame .* of one type"):
        read(pd.DataFrame({"a": [1, {"x": 1}]}))


WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "csv": lambda frame, path: frame.write_csv(path),
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "ndjson": lambda frame, path: frame.write_ndjson(path),
    "parquet": lambda frame, path: frame.write_parquet(path),
    "arrow": lambda frame, path: frame.write_ipc(path),
}
NAMES = st.text(string.ascii_letters + ' _-,;"é', min_size=1, max_size=6).map(lambda s: f"c{s}c")
WORDS = st.text(string.ascii_letters + ' ,;"\n\t|é', max_size=6).map(lambda s: f"w{s}w")


@pytest.mark.slow
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=NAMES,
    numbers=st.lists(st.floats(-1e6, 1e6).filter(lambda n: n % 1), min_size=30, max_size=40),
    words=st.lists(WORDS | st.none(), min_size=40, max_size=40),
    flags=st.lists(st.booleans() | st.none(), min_size=40, max_size=40),
    gap=st.sampled_from([timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)]),
)
def test_every_format_gives_the_same_table_and_layout(
    tmp_path: Path,
    name: str,
    numbers: list[float],
    words: list[str | None],
    flags: list[bool | None],
    gap: timedelta,
) -> None:
    rows = len(numbers)
    times = [datetime(2020, 2, 27) + gap * step for step in range(rows)]
    values = {"when": times, "y": numbers, name: words[:rows], "flag": [True, False, *flags][:rows]}
    whole = [step * step % 13 for step in range(rows)]
    frame = pl.DataFrame({**values, "whole": whole}, schema_overrides={name: pl.String})
    found = []
    for ending, writer in WRITERS.items():
        path = tmp_path / f"table.{ending}"
        writer(frame, path)
        table = read(path)
        # A file of text writes midnights as dates and times all the same.
        assert table.frame.collect().equals(frame), ending
        found.append((dict(table.schema), guess(table, Columns(targets=["y"]))[0]))
    assert all(one == found[0] for one in found)
