"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Callable

NONE = "-"
FARTHEST = 9.99  # a skill beyond, below zero, says no more than that


def score(value: float | None) -> str:
    """A loss with three digits: "0.0632", "1,234"."""
    if value is None:
        return NONE
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"
    return f"{value:#.3g}".rstrip(".") if value else "0"


def skill(value: float | None) -> str:
    """A share above or below the best baseline, in percent: "+12%"."""
    if value is None:
        return NONE
    if value < -FARTHEST:
        return "<-999%"
    digits = 1 if 0 < abs(value) < 0.095 else 0
    return f"{100 * value:+.{digits}f}%"


def interval(low: float | None, high: float | None, tell: Callable[[float], str]) -> str:
    """As "0.265 to 0.921"; empty where there is none."""
    if low is None or high is None:
        return ""
    ends = [tell(low), tell(high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def duration(seconds: float) -> str:
    """As "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def microseconds(value: float) -> str:
    """As "0.3 µs", "42 µs", "1.8 ms"."""
    if value < 9.95:
        return f"{value:.1f} µs"
    if value < 1000:
        return f"{value:.0f} µs"
    return f"{value / 1000:.1f} ms"


def plural(number: int, word: str) -> str:
    """As "1 fit", "12 fits"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
