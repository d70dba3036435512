"""Where many series are cut, which of them are judged, and what is said of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asked import guess, prepare
from gatewright.data.layout import Layout
from gatewright.data.prepared import Prepared
from gatewright.data.table.reading import read
from gatewright.errors import InputError, with_flags
from gatewright.requests import Columns, Split

USUAL = Split()
DAY = 24 * 3600 * 10**6
Spans = dict[str, tuple[int, int]]  # the day at which a series begins, and its length


def table(spans: Spans) -> pl.DataFrame:
    first = date(2000, 1, 1)
    return pl.concat(
        pl.DataFrame(
            {
                "shop": name,
                "day": [first + timedelta(begin + step) for step in range(length)],
                "sold": [float(step % 7 + step % 3) for step in range(length)],
            }
        )
        for name, (begin, length) in spans.items()
    )


def cut(spans: Spans, tmp_path: Path, split: Split = USUAL, **changes: Any) -> Prepared:
    layout = Layout(
        task="forecast", targets=("sold",), time="day", series="shop", frequency="1d", context=6,
        horizon=2,
    )  # fmt: skip
    layout = layout.model_copy(update=changes)
    return prepare(read(table(spans)), layout, tmp_path / "data", split=split)


def lengths(data: Prepared) -> dict[str, list[int]]:
    """Steps of training, validation and test by series."""
    parts = data.bounds.diff(dim=1).tolist()
    return dict(zip(data.items, parts, strict=True))


def ends(data: Prepared, part: int) -> list[int]:
    """The days on which a part of each series ends, of those that go on after it."""
    begun = data.bounds[:, part] > data.bounds[:, 0]
    bounds = data.bounds[begun & (data.bounds[:, part] < data.bounds[:, 3])]
    return sorted({int(data.time[end]) // DAY for end in bounds[:, part]})


def named(count: int, span: Any) -> Spans:
    return {f"s{number}": span(number) for number in range(count)}


def shared_and_not() -> Iterator[tuple[str, Spans, bool]]:
    """A name, the series, and whether they are to be cut at the same times."""
    yield "stores of the same years", named(50, lambda n: (0, 200)), True
    yield (
        "some open late, some close",
        named(10, lambda n: (20 * (n < 2), 200 - 50 * (n > 7))),
        True,
    )
    yield "half closed", named(6, lambda n: (0, 120 if n < 3 else 200)), True
    yield "patients of other years", named(40, lambda n: (500 * n, 42)), False
    yield "products in turn", named(6, lambda n: (80 * n, 100)), False
    yield "two in turn", {"a": (0, 100), "b": (75, 100)}, False
    yield "a long and many short", {"long": (0, 2000)} | named(30, lambda n: (1900, 100)), True
    yield "a long and a few short", {"long": (0, 2000)} | named(5, lambda n: (1900, 100)), False
    yield "a long, short anywhere", {"long": (0, 3000)} | named(30, lambda n: (95 * n, 90)), False
    yield "one ended years ago", {"old": (0, 100)} | named(3, lambda n: (2000, 100)), True
    yield "one of two ended years ago", {"old": (0, 100), "new": (2000, 100)}, False


@pytest.mark.parametrize(
    ("spans", "together"),
    [pytest.param(spans, together, id=name) for name, spans, together in shared_and_not()],
)
def test_those_that_are_there_together_are_cut_together(
    spans: Spans, together: bool, tmp_path: Path
) -> None:
    data = cut(spans, tmp_path)
    (note,) = [note for note in data.preparation.notes if note.startswith("cut at")]
    if together:
        assert [len(ends(data, part)) for part in (1, 2)] == [1, 1]
        assert note.startswith(f"cut at the same two times: all {len(spans)} series, as ")
        assert with_flags(note).endswith("--cut series cuts each at its own places")
        assert all(part.when.startswith("2") for part in data.preparation.parts)
    else:
        for name, (_, length) in spans.items():
            first, second = round(length * 0.7), round(length * 0.8)
            assert lengths(data)[name] == [first, second - first, length - second]
        assert note.startswith(f"cut at its own places: each of {len(spans)} series, as ")
        assert "training of one may lie after the test part of another" in note
        assert {part.when for part in data.preparation.parts} == {"each at its own place"}


def test_what_was_said_is_done_and_gives_no_advice(tmp_path: Path) -> None:
    in_turn = named(6, lambda n: (80 * n, 100))
    data = cut(in_turn, tmp_path, Split(cut="dates"))
    assert [len(ends(data, part)) for part in (1, 2)] == [1, 1]
    assert "cut at the same two times: all 6 series" in data.preparation.notes
    same = named(6, lambda n: (0, 100 + 40 * n))
    data = cut(same, tmp_path, Split(cut="series"))
    assert lengths(data)["s5"] == [210, 30, 60]
    assert not any("`cut" in note for note in data.preparation.notes)


def test_series_too_short_to_be_judged_are_all_training(tmp_path: Path) -> None:
    spans = {
        "long": (0, 100),
        "no test": (300, 9),  # 6, 1, 2 rows: less than a horizon of 3 in test
        "no validation": (400, 20),  # 14, 2, 4
        "nothing": (500, 5),  # fewer than half a context and a horizon
        "next": (600, 100),
    }
    data = cut(spans, tmp_path, horizon=3)
    assert lengths(data) == {
        "long": [70, 10, 20],
        "no test": [9, 0, 0],
        "no validation": [16, 0, 4],
        "next": [70, 10, 20],
    }
    notes = "\n".join(data.preparation.notes)
    assert "left out: 1 of 5 series, too short for half a context of 6" in notes
    assert "and a horizon of 3: nothing" in notes
    short = "too short for 3 steps (a horizon) in a test part: no test"
    said = f"training only: 1 of 4 series, {short}"
    assert said in notes
    assert "not judged" not in notes
    training, validation, test = data.preparation.parts
    # From half a context on where there is no whole one beside a horizon; else from a context on.
    assert training.examples == 2 * (70 - 6 - 3 + 1) + (9 - 6 - 3 + 1) + (16 - 6 - 3 + 1)
    assert (validation.examples, test.examples) == (2 * 8, 2 * 18 + 2)
    assert [part.holds[0] for part in data.preparation.parts] == [
        "4 series",
        "2 series",
        "3 series",
    ]


def test_none_is_lent_where_training_would_see_what_others_are_tested_on(tmp_path: Path) -> None:
    spans = named(5, lambda n: (0, 100)) | {"closed early": (0, 80), "new": (79, 9)}
    data = cut(spans, tmp_path, horizon=3)
    first, _ = (ends(data, part)[0] for part in (1, 2))
    for name, (start, training, _, _) in zip(data.items, data.bounds.tolist(), strict=True):
        assert training == start or data.time[training - 1] // DAY < first, name
    short = "with fewer than 3 steps (a horizon) in the test part: closed early"
    assert f"not judged: 1 of 7 series, {short}" in data.preparation.notes


def test_given_lengths_keep_what_series_have(tmp_path: Path) -> None:
    spans = {"long": (0, 40), "short": (0, 27), "shorter": (0, 15)}
    data = cut(spans, tmp_path, Split(rows=(20, 5, 5)))
    assert lengths(data) == {"long": [20, 5, 5], "short": [20, 5, 2], "shorter": [15, 0, 0]}


def test_a_single_series_is_told_when_its_parts_are(tmp_path: Path) -> None:
    months = pl.date_range(date(1949, 1, 1), date(1960, 12, 1), "1mo", eager=True)
    frame = pl.DataFrame({"month": months, "y": [float(n % 12 + n) for n in range(144)]})
    layout, _ = guess(read(frame), Columns(targets=("y",)))
    data = prepare(read(frame), layout, tmp_path / "data")
    told = [(part.name, part.when, part.holds, part.remark) for part in data.preparation.parts]
    assert told == [
        ("training", "1949-01 to 1957-05", ("101 months", "62 windows"), ""),
        ("validation", "1957-06 to 1958-07", ("14 months", "5 windows"), ""),
        ("test", "1958-08 to 1960-12", ("29 months", "20 windows"), ""),
    ]
    data = prepare(read(frame), layout.model_copy(update={"horizon": 11}), tmp_path / "longer")
    assert "fewer than 20 windows" in data.preparation.parts[2].remark


@pytest.mark.parametrize(
    ("frequency", "step", "when"),
    [
        ("15m", timedelta(minutes=15), "2000-01-01 00:00 to 2000-01-01 17:15"),
        ("10s", timedelta(seconds=10), "2000-01-01 00:00:00 to 2000-01-01 00:11:30"),
        ("1d", timedelta(days=1), "2000-01-01 to 2000-03-10"),
        (None, timedelta(hours=7), "2000-01-01 00:00:00 to 2000-01-21 03:00:00"),
    ],
)
def test_times_are_as_precise_as_the_steps(
    frequency: str | None, step: timedelta, when: str, tmp_path: Path
) -> None:
    start = pl.Series([date(2000, 1, 1)]).cast(pl.Datetime("us"))[0]
    frame = pl.DataFrame({"t": [start + step * n for n in range(100)], "y": range(100)})
    layout = Layout(task="forecast", targets=("y",), time="t", frequency=frequency, context=4)
    data = prepare(read(frame), layout, tmp_path / "data")
    assert data.preparation.parts[0].when == when


def test_sequences_are_counted(tmp_path: Path) -> None:
    frame = pl.DataFrame([{"id": n // 4, "x": n, "label": "ab"[n // 4 % 2]} for n in range(400)])
    layout = Layout(task="classify", targets=("label",), numbers=("x",), sequence="id")
    data = prepare(read(frame), layout, tmp_path / "data")
    told = [(part.name, part.when, part.holds) for part in data.preparation.parts]
    assert told == [
        ("training", "", ("70 sequences",)),
        ("validation", "", ("10 sequences",)),
        ("test", "", ("20 sequences",)),
    ]
    with pytest.raises(InputError, match="`cut='dates'` is for forecasts of many series"):
        prepare(read(frame), layout, tmp_path / "again", split=Split(cut="dates"))


def test_cuts_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`cut` is one of dates, series, not 'months'"):
        Split(cut="months")
    with pytest.raises(InputError, match="`cut='dates'` says where shares cut"):
        Split(rows=(1, 1, 1), cut="dates")
    one, frame = {"one": (0, 50)}, table({"one": (0, 50)}).drop("shop")
    layout = Layout(task="forecast", targets=("sold",), time="day", frequency="1d")
    with pytest.raises(InputError, match="`cut='series'` is for many series"):
        prepare(read(frame), layout, tmp_path / "data", split=Split(cut="series"))
    with pytest.raises(InputError, match="`cut='dates'` needs a column of times"):
        cut(one | {"two": (0, 50)}, tmp_path, Split(cut="dates"), time=None, frequency=None)


def test_a_gap_that_fills_a_part_is_told(tmp_path: Path) -> None:
    frame = table({"old": (0, 100), "new": (400, 100)}).drop("shop")
    layout = Layout(task="forecast", targets=("sold",), time="day", frequency="1d", context=4)
    with pytest.raises(InputError, match=r"validation part has no window .* with `series`"):
        prepare(read(frame), layout, tmp_path / "data", split=Split((0.4, 0.2, 0.4)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_part_of_a_series_comes_before_an_earlier_one(data: st.DataObject) -> None:
    """Whatever the series: parts in order, all rows in one, and at dates no training after them."""
    spans = {
        f"s{number}": (data.draw(st.integers(0, 300)), data.draw(st.integers(1, 120)))
        for number in range(data.draw(st.integers(2, 6)))
    } | {"whole": (0, 420)}
    said = data.draw(st.sampled_from([None, "dates", "series"]))
    with tempfile.TemporaryDirectory() as folder:
        try:
            prepared = cut(spans, Path(folder), Split(cut=said))
        except InputError as error:
            told = str(error)
        else:
            told = ""
    if told:
        assert "part has" in told
        return
    items = dict(zip(prepared.items, prepared.bounds.tolist(), strict=True))
    assert (prepared.bounds.diff(dim=1) >= 0).all()
    for name, (start, _, _, end) in items.items():
        assert end - start == spans[name][1]
    left_out = set(spans) - set(items)
    assert all(spans[name][1] < 6 // 2 + 2 for name in left_out)
    at_dates = any(note.startswith("cut at the same") for note in prepared.preparation.notes)
    if at_dates:
        training = [prepared.time[end - 1] for start, end, _, _ in items.values() if end > start]
        test = [prepared.time[begin] for _, _, begin, end in items.values() if end > begin]
        assert max(training) < min(test)
