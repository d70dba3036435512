"""Numbers and dates that can be read two ways: by all rows, and afterwards as in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from asked import guess, prepare, transform
from gatewright.api import load
from gatewright.cli import main
from gatewright.data.prepared import Prepared, fingerprint
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.estimators.forecaster import Forecaster
from gatewright.requests import Columns

pytestmark = pytest.mark.slow

Write = Callable[..., Path]
FIRST = date(2022, 11, 1)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(name: str, *rows: str) -> Path:
        path = tmp_path / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return to


def column(path: Path, name: str) -> list[object]:
    return pl.Series(read(path).frame.select(name).collect()).to_list()


def numbers_guesses(path: Path) -> list[tuple[str, str]]:
    return [(each.value, each.why) for each in read(path).guesses if each.what == "numbers"]


# Dots ---------------------------------------------------------------------------------------------


def test_dots_beside_values_below_a_thousand_mark_thousands(write: Write) -> None:
    path = write("umsatz.csv", "Tag;Umsatz", "1;1.051", "2;935", "3;-1.341")
    assert column(path, "Umsatz") == [1051, 935, -1341]
    ((value, why),) = numbers_guesses(path)
    assert value == "Umsatz: 1.051 is 1051"
    assert "below 1000" in why


def test_a_decimal_comma_elsewhere_tells_of_the_dots(write: Write) -> None:
    path = write("umsatz.tsv", "Preis\tUmsatz", "1,5\t1.051", "12,25\t1.935")
    assert column(path, "Umsatz") == [1051, 1935]
    assert column(path, "Preis") == [1.5, 12.25]
    ((value, why),) = numbers_guesses(path)
    assert value == "Umsatz: 1.051 is 1051"
    assert "'Preis'" in why


def test_the_last_row_decides(write: Write) -> None:
    rows = ["1.051;1.5"] * 3000
    assert column(write("a.csv", "Umsatz;b", *rows, "935;2"), "Umsatz")[-2:] == [1051, 935]
    assert column(write("b.csv", "Umsatz;b", *rows, "2000;2"), "Umsatz")[-2:] == [1.051, 2000]
    assert column(write("c.csv", "Umsatz;b", *rows, "9.5;2"), "Umsatz")[-2:] == [1.051, 9.5]


def test_one_dot_before_three_digits_everywhere_stays_a_decimal_and_is_said(write: Write) -> None:
    path = write("lab.tsv", "mass\tlength", "1.234\t2.345", "2.341\t9.876")
    assert column(path, "mass") == [1.234, 2.341]
    ((value, why),) = numbers_guesses(path)
    assert value == "mass: 1.234 is between 1 and 2, not 1234, and so in length"
    assert "thousands" in why


@pytest.mark.parametrize("value", ["0.123", "1.5", "1e3", "12.3456", "2000", "01.234"])
def test_tables_of_decimals_are_read_as_ever(write: Write, value: str) -> None:
    path = write("lab.tsv", "name\tmass", "a\t1.234", f"b\t{value}", "c\t2")
    if value == "01.234":
        assert column(path, "mass") == ["1.234", value, "2"]
    else:
        assert column(path, "mass") == [1.234, float(value), 2]
    assert numbers_guesses(path) == []


def test_commas_that_may_be_thousands_tell_nothing_of_dots(write: Write) -> None:
    path = write("lab.tsv", "count\tmass", "1,234\t1.234", "2,345\t2.345")
    assert column(path, "mass") == [1.234, 2.345]


def test_where_commas_divide_dots_are_decimals(write: Write) -> None:
    path = write("lab.csv", "name,mass", "a,1.051", "b,935")
    assert column(path, "mass") == [1.051, 935]
    assert numbers_guesses(path) == []


def test_a_zero_before_dots_is_no_number_of_thousands(write: Write) -> None:
    commas = [f"{digit},5" for digit in range(9)]
    path = write("mixed.csv", "b;a", *(f"{value};1" for value in commas), "0.123;2")
    assert column(path, "b") == [*commas, "0.123"]
    assert "0.123" in read(path).faults["b"]


def test_the_prepared_mean_of_german_numbers(write: Write, tmp_path: Path) -> None:
    values = [900 + 10 * step % 400 for step in range(100)]
    rows = [f"{FIRST + timedelta(step)};{german(value)}" for step, value in enumerate(values)]
    data = prepared(write("umsatz.csv", "Tag;Umsatz", *rows), tmp_path, horizon=2, context=4)
    assert data.preparation.target_mean[0] == pytest.approx(sum(values[:70]) / 70)
    assert data.preparation.readings["Umsatz"] == "decimal comma"


def german(value: float) -> str:
    return f"{value:,.0f}".replace(",", ".")


def prepared(source: Path | pl.DataFrame, folder: Path, **given: int) -> Prepared:
    table = read(source)
    layout, _ = guess(table, Columns(**given))  # type: ignore[arg-type]
    return prepare(table, layout, folder / "data")


# As in training -----------------------------------------------------------------------------------


def sales(days: Sequence[date], write_value: Callable[[float], str] = german) -> list[str]:
    values = [1000 + 300 * math.sin(day.toordinal()) for day in days]
    return [f"{day:%d.%m.%Y};{write_value(v)}" for day, v in zip(days, values, strict=True)]


def span(first: date, count: int) -> list[date]:
    return [first + timedelta(step) for step in range(count)]


def forecaster(path: Path) -> Forecaster:
    made = Forecaster(horizon=2, context=4, hidden_size=4, epochs=1, steps_per_epoch=2)
    return made.fit(path)


def test_days_up_to_twelve_and_dots_are_read_as_in_training(write: Write, tmp_path: Path) -> None:
    trained = forecaster(write("old.csv", "Tag;Umsatz", *sales(span(FIRST, 61))))
    trained.save(tmp_path / "fit")
    new = write("new.csv", "Tag;Umsatz", *sales(span(date(2023, 1, 1), 10)))
    # All values above a thousand: alone, the file would be one of decimals.
    dear = sales(span(date(2023, 1, 1), 10), lambda value: german(value + 1000))
    for source in (new, write("dear.csv", "Tag;Umsatz", *dear)):
        frame = pl.read_csv(source, separator=";", infer_schema=False)
        predictor = load(tmp_path / "fit")
        for told in (
            trained.predict(source), predictor.predict(source), predictor.predict(frame)
        ):  # fmt: skip
            assert told["Tag"].to_list() == [date(2023, 1, 11), date(2023, 1, 12)]
            assert told["Umsatz"].min() > 100
    assert -trained.score(new) < 1e6
    out = tmp_path / "out.csv"
    assert main(["predict", str(tmp_path / "fit"), str(new), "--out", str(out)]) == 0
    assert out.read_text().splitlines()[1].startswith("2023-01-11,")


def test_a_value_that_is_not_as_in_training_is_told(write: Write) -> None:
    trained = forecaster(write("old.csv", "Tag;Umsatz", *sales(span(FIRST, 61))))
    new = sales(span(date(2023, 1, 1), 5))
    with pytest.raises(InputError, match=r"row 6 \(line 7\) of new.csv.*'01/13/2023'.*%d.%m.%Y"):
        trained.predict(write("new.csv", "Tag;Umsatz", *new, "01/13/2023;1.051"))
    with pytest.raises(InputError, match=r"row 6 \(line 7\) of new.csv.*'1.5'.*decimal comma"):
        trained.predict(write("new.csv", "Tag;Umsatz", *new, "06.01.2023;1.5"))


def test_other_formats_that_cannot_be_mistaken_are_read(write: Write) -> None:
    trained = forecaster(write("old.csv", "Tag;Umsatz", *sales(span(FIRST, 61))))
    rows = [f"{day};1.051" for day in span(date(2023, 1, 1), 6)]
    assert trained.predict(write("new.csv", "Tag;Umsatz", *rows))["Tag"][0] == date(2023, 1, 7)


def test_names_stay_names(write: Write) -> None:
    rows = [f"{shop};{day};{day.day}" for shop in ("001", "1.50", "x") for day in span(FIRST, 60)]
    trained = forecaster(write("old.csv", "shop;day;sold", *rows))
    assert trained.layout_.series == "shop"
    new = [f"1;{day};{day.day}" for day in span(FIRST + timedelta(60), 6)]
    told = trained.predict(write("new.csv", "shop;day;sold", *new))
    assert told["shop"].to_list() == ["1", "1"]
    told = trained.predict(write("new.csv", "shop;day;sold", *("00" + row for row in new)))
    assert told["shop"].to_list() == ["001", "001"]
    told = trained.predict(write("new.csv", "shop;day;sold", *(f"1.50{row[1:]}" for row in new)))
    assert told["shop"].to_list() == ["1.50", "1.50"]


def test_a_category_never_seen_leaves_the_others(write: Write, tmp_path: Path) -> None:
    rows = [f"{day};{day.day % 3};{day.day},5" for day in span(FIRST, 60)]
    path = write("old.csv", "day;kind;sold", *rows)
    trained = Forecaster(horizon=2, context=4, hidden_size=4, epochs=1, categories="kind")
    trained.fit(path)
    kept = trained.predictor_.preparation
    new = [f"{day};{kind};1,5" for day, kind in zip(span(FIRST, 3), ("2", "x", "1.5"), strict=True)]
    again = read(write("new.csv", "day;kind;sold", *new), readings=kept.readings)
    codes = transform(again, kept, tmp_path / "new").codes[:, 0].tolist()
    assert codes == [kept.categories[0].values.index("2") + 1, 0, 0]


def test_categories_of_digits_stay_words(write: Write, tmp_path: Path) -> None:
    kinds, labels = ("b", "1.0"), ("down", "up", "up")
    rows = [
        f"s{number};{step};{kinds[number % 2]};{step + number};{labels[number % 3]}"
        for number in range(40)
        for step in range(4)
    ]
    table = read(write("old.csv", "id;step;kind;x;label", *rows))
    layout, _ = guess(
        table, Columns(targets=["label"], sequence="id", step="step", categories=["kind"])
    )
    data = prepare(table, layout, tmp_path / "data")
    (kind,) = data.preparation.categories
    new = [f"{number};{step};1.0;{step}" for number in ("001", "1") for step in range(4)]
    path = write("new.csv", "id;step;kind;x", *new)
    again = read(path, readings=data.preparation.readings)
    found = transform(again, data.preparation, tmp_path / "new")
    assert found.items == ("001", "1")
    assert set(found.codes[:, 0].tolist()) == {kind.values.index("1.0") + 1}


def test_the_same_data_are_the_same_however_they_were_written(tmp_path: Path) -> None:
    days = span(FIRST, 60)
    typed = pl.DataFrame({"day": days, "sold": [day.day + 0.5 for day in days]})
    first, second = (
        prepared(frame, tmp_path / name, horizon=2, context=4)
        for name, frame in (("text", typed.cast(pl.String)), ("typed", typed))
    )
    assert first.preparation.readings == {"day": "time %Y-%m-%d", "sold": "number"}
    assert second.preparation.readings == {}
    assert fingerprint(tmp_path / "text" / "data") == fingerprint(tmp_path / "typed" / "data")
