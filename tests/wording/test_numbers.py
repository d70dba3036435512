"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from gatewright.wording import numbers

MINUS, DASH = "\N{MINUS SIGN}", "\N{EM DASH}"


@pytest.mark.parametrize(
    ("count", "text", "in_words"),
    [
        (0, "0 fits", "0 fits"),
        (1, "1 fit", "one fit"),
        (12, "12 fits", "12 fits"),
        (1200, "1,200 fits", "1,200 fits"),
    ],
)
def test_counts(count: int, text: str, in_words: str) -> None:
    assert numbers.counted(count, "fit") == text
    assert numbers.counted_in_words(count, "fit") == in_words
    assert numbers.counted(count, "test series") == f"{count:,} test series"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.4, "1,234"),
        (12345678.0, "12,345,678"),
        (0.063248, "0.06325"),
        (0.25, "0.2500"),
        (9.99996, "10.00"),
        (-0.5, f"{MINUS}0.5000"),
        (0.0, "0"),
        (1.5e-7, f"1.500e{MINUS}07"),
        (1e12, "1.000e+12"),
        (None, DASH),
        (math.nan, DASH),
        (math.inf, "infinite"),
    ],
)
def test_significant_digits(value: float | None, text: str) -> None:
    assert numbers.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.1234, "12.3%"), (0.9996, "100%"), (-0.4, f"{MINUS}40.0%"), (None, DASH), (math.nan, DASH)],
)
def test_percentages(share: float | None, text: str) -> None:
    assert numbers.percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.123, "+12%"),
        (0.0142, "+1.4%"),
        (-0.05, f"{MINUS}5.0%"),
        (-3.0, f"{MINUS}300%"),
        (-55.5, f"< {MINUS}999%"),
        (0, "+0%"),
        (None, DASH),
        (math.nan, DASH),
    ],
)
def test_skills(share: float | None, text: str) -> None:
    assert numbers.skill(share) == text


def test_intervals() -> None:
    assert numbers.interval(0.1, 0.2) == "0.100 to 0.200"
    assert numbers.interval(0.0123, 0.21, numbers.skill) == "+1.2% to +21%"
    assert numbers.interval(None, 0.2) == ""
    assert numbers.interval(-30.0, -20.0, numbers.skill) == f"< {MINUS}999%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0.040 s"),
        (0.123, "0.12 s"),
        (2.5, "2.5 s"),
        (9.96, "10 s"),
        (48.3, "48 s"),
        (59.7, "1 min"),
        (75, "1 min 15 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (3_600_000, "1,000 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.31, "0.31 µs"),
        (1.26, "1.3 µs"),
        (42.4, "42 µs"),
        (999.7, "1.0 ms"),
        (1830, "1.8 ms"),
        (34_500, "34 ms"),
        (999_700, "1.0 s"),
        (90e6, "1 min 30 s"),
    ],
)
def test_microseconds(value: float, text: str) -> None:
    assert numbers.microseconds(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.06, "6%"),
        (-0.06, "6%"),
        (0.0123, "1.2%"),
        (0.0031, "0.3%"),
        (0.0004, "0.04%"),
        (0.00001, "less than 0.01%"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.999, "more than 99%"),
        (0.5, "50%"),
    ],
)
def test_percentages_in_words(share: float, text: str) -> None:
    assert numbers.percent_in_words(share) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.021, 0.09, "between 2 and 9% lower"),
        (0.0, 0.09, "between 0 and 9% lower"),
        (-0.03, 0.05, "between 3% higher and 5% lower"),
        (-0.002, 0.05, "between 0.2% higher and 5.0% lower"),
        (-0.3, -0.1, "between 10 and 30% higher"),
        (0.2, 0.2, "20% lower"),
    ],
)
def test_intervals_of_percent_in_words(low: float, high: float, text: str) -> None:
    assert numbers.share_interval_in_words(low, high) == text


def test_counts_spelled_out() -> None:
    told = [numbers.spelled(count) for count in (0, 3, 10, 11, 1200)]
    assert told == ["no", "three", "ten", "11", "1,200"]


def test_rough_amounts() -> None:
    told = [numbers.about(value) for value in (3, 12, 3912)]
    assert told == ["about 3", "about 12", "about 4,000"]
