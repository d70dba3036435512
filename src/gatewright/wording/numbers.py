"""Numbers as people read them: the same on the terminal, the page, in pictures and in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

DIGITS = 4  # of a mean loss: in three, neighbours on a leaderboard often look alike
DIGITS_OF_ENDS = 3  # of an interval, which is only known so well
MOST_NAMES = 6  # of a list, before the others are counted
FARTHEST = 9.99  # how far below zero a skill still says something
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EM DASH}"


def counted(count: int, word: str) -> str:
    """As "1 seed", "1,200 seeds" or "1,200 series"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {several(word)}"


def several(word: str) -> str:
    """The plural."""
    return word if word.endswith("series") else f"{word}s"


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """As "a, b and 4 more"."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"


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


def percent(share: float | None) -> str:
    """A share of all, as "12.3%" or "100%"."""
    if share is None or not math.isfinite(share):
        return NOTHING
    value = 100 * share
    decimals = 0 if abs(value) >= 99.95 else 1
    return f"{value:,.{decimals}f}%".replace("-", MINUS)


def skill(share: float | None) -> str:
    """How much lower a loss is than another, as "+12%", "+1.4%" or, with a minus sign, "-3.0%"."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if share < -FARTHEST:
        return f"< {MINUS}{100 * FARTHEST:.0f}%"
    decimals = 1 if 0 < abs(share) < 0.095 else 0
    return f"{100 * share:+.{decimals}f}%".replace("-", MINUS)


def loss_end(value: float) -> str:
    """One end of the interval of a loss."""
    return number(value, DIGITS_OF_ENDS)


def interval(
    low: float | None, high: float | None, words: Callable[[float], str] = loss_end
) -> str:
    """As "0.265 to 0.921"; one number where both ends read alike, empty where there is none."""
    if low is None or high is None:
        return ""
    ends = [words(low), words(high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def duration(seconds: float) -> str:
    """As "0.43 s", "12 s", "3 min 20 s" or "2 h"."""
    minutes, left = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{_rough(seconds)} s"
    if minutes < 60:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, left = divmod(minutes, 60)
    return f"{hours:,} h {left} min" if left else f"{hours:,} h"


def microseconds(value: float) -> str:
    """As "0.31 µs", "42 µs", "1.8 ms" or "1.2 s"."""
    if value < 999.5:
        return f"{_rough(value)} µs"
    if value < 999_500:
        return f"{_rough(value / 1000)} ms"
    return duration(value / 1e6)


def _rough(time: float) -> str:
    """Two digits, more of whole numbers: the next run differs in the second one."""
    return number(time, 2) if time < 9.95 else f"{time:.0f}"


# In sentences, which have words for a sign and for what is too small to be written


def counted_in_words(count: int, word: str) -> str:
    """As "one seed" or "1,200 seeds"."""
    return f"one {word}" if count == 1 else counted(count, word)


def spelled(count: int) -> str:
    """As "three", "12" or "1,200"."""
    names = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return names[count] if 0 <= count < len(names) else f"{count:,}"


def about(value: float) -> str:
    """As "about 4,000": two digits, rounded up."""
    step = 10 ** max(0, math.floor(math.log10(max(value, 1))) - 1)
    return f"about {math.ceil(value / step) * step:,}"


def percent_in_words(share: float, decimals: int | None = None) -> str:
    """``share`` without its sign, as "6%", "0.4%", "less than 0.01%"."""
    value = abs(100 * share)
    if 99.5 <= value < 100:
        return "more than 99%"
    if 0 < value < 0.01:
        return "less than 0.01%"
    if decimals is not None:
        return f"{value:.{decimals}f}%" if value else "0%"
    decimals = 0 if value >= 3 or value == 0 else 1 if value >= 0.3 else 2
    text = f"{value:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def share_interval_in_words(low: float, high: float) -> str:
    """How much lower, as "between 2 and 9% lower", or "between 3% higher and 5% lower"."""
    decimals = decimals_within(low, high)
    # An end on this side of zero is not to be rounded to it, unless it all but is.
    ends = [0.0 if abs(end) < (high - low) / 1000 else end for end in (low, high)]
    while decimals < 2 and any(round(100 * end, decimals) == 0 for end in ends if end):
        decimals += 1
    if ends[0] < 0 < ends[1]:
        first, last = (percent_in_words(end, decimals) for end in ends)
        return f"between {first} higher and {last} lower"
    side = "lower" if ends[1] > 0 else "higher"
    first, last = (percent_in_words(end, decimals) for end in sorted(ends, key=abs))
    if first == last:
        return f"{first} {side}"
    return f"between {first.removesuffix('%')} and {last} {side}"


def decimals_within(low: float, high: float) -> int:
    """Of a percentage whose interval is from ``low`` to ``high``: no more than that tells."""
    width = 100 * (high - low)
    return 0 if width >= 3 or width < 1e-6 else 1 if width >= 0.3 else 2
