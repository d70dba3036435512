"""Numbers as people read them: four digits, thousands apart, units that fit."""

from __future__ import annotations

import math

DIGITS = 4
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NOTHING = "\N{EM DASH}"


def number(value: float | None, digits: int = DIGITS) -> str:
    """``value`` with so many significant digits, as "1,234", "0.06325" or "1.500e-07"."""
    if value is None or not math.isfinite(value):
        return NOTHING if value is None or math.isnan(value) else "infinite"
    text = f"{value:.{digits - 1}e}"  # rounded first: 9.9999 has one digit more than 9.999
    exponent = int(text.partition("e")[2])
    if value == 0:
        return "0"
    if -5 < exponent < 9:
        text = f"{value:,.{max(0, digits - 1 - exponent)}f}"
    return text.replace("-", MINUS)


def whole(value: float) -> str:
    return f"{round(value):,}"


def percent(share: float | None) -> str:
    """As "12.3%", with a minus sign where it is below zero."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = 100 * share
    decimals = 0 if abs(value) >= 99.95 else 1
    return f"{value:,.{decimals}f}%".replace("-", MINUS)


def interval(
    low: float | None, high: float | None, digits: int = DIGITS, *, as_percent: bool = False
) -> str:
    """As "0.21 to 0.34"; empty where there is none."""
    if low is None or high is None:
        return ""
    if as_percent:
        return f"{percent(low)} to {percent(high)}"
    return f"{number(low, digits)} to {number(high, digits)}"


def seconds(value: float) -> str:
    """As "0.12 s", "48 s", "3 min 20 s", "2 h 5 min"."""
    if value < 10:
        return f"{number(value, 2)} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes, left = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def microseconds(value: float) -> str:
    """As "12 µs", "3.4 ms" or "1.2 s"."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if value >= size:
            return f"{number(value / size, 3)} {unit}"
    return f"{number(value, 2) if value < 10 else f'{value:.0f}'} µs"


def plural(count: int, word: str) -> str:
    """As "1 seed" or "1,200 seeds"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
