"""How far apart the rows of a series are, and after how many of them it repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

UNITS = (("w", 7 * 86_400_000_000), ("d", 86_400_000_000), ("h", 3_600_000_000))
SMALL_UNITS = (("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1))
DAY = 86_400_000_000  # microseconds
LONGEST = 400  # steps; a season is not looked for beyond
WEAK, STRONG = 0.2, 0.4  # autocorrelation that confirms the calendar's season, or proves another
LASTING = 0.6  # share of it that has to be left after two cycles


@dataclass(frozen=True)
class Finding:
    """A value and the reason for it."""

    value: str
    why: str


def frequency_of(times: Sequence[pl.Series]) -> Finding | None:
    """The most common difference between rows, over series of increasing times or integers.

    As polars writes durations: "1h", "1d", "1mo", "1q", and "1i" for integers.
    """
    if not any(len(series) > 1 for series in times):
        return None
    steps = np.concatenate(
        [np.diff(series.to_physical().cast(pl.Int64).to_numpy()) for series in times]
    )
    dates = times[0].dtype == pl.Date
    values, counts = np.unique(steps * DAY if dates else steps, return_counts=True)
    step, share = int(values[counts.argmax()]), counts.max() / counts.sum()
    if times[0].dtype.is_integer():
        return Finding(f"{step}i", _share(share))
    months = np.concatenate([_months(series) for series in times])
    if step >= 28 * DAY and len(months):
        month = int(np.bincount(months.clip(0, 10_000)).argmax())
        usual = steps_in_months(months, month)
        # 28 days each time are four weeks; months differ, unless there are only one or two.
        lengths = values[counts * 20 >= counts.sum()]
        if usual >= share and (len(lengths) > 1 or step % (7 * DAY)) and month > 0:
            return Finding(_in_months(month), _share(usual))
    return Finding(_in_units(step), _share(share))


def steps_in_months(months: NDArray[np.int64], month: int) -> float:
    return float((months == month).mean())


def _months(times: pl.Series) -> NDArray[np.int64]:
    """Whole months between rows; -1 where these are not on the same day, or on the last, of two."""
    frame = pl.DataFrame({"time": times}).select(
        month=pl.col("time").dt.year().cast(pl.Int64) * 12 + pl.col("time").dt.month(),
        day=pl.col("time").dt.day(),
        # Of the day alone: the end of a month may have no such hour where clocks are set forward.
        last=pl.col("time").dt.date().dt.month_end() == pl.col("time").dt.date(),
    )
    same = (pl.col("day").diff() == 0) | (pl.col("last") & pl.col("last").shift())
    months = frame.select(pl.when(same).then(pl.col("month").diff()).otherwise(-1)).to_series()
    return months[1:].to_numpy().astype(np.int64)


def _in_months(months: int) -> str:
    for unit, size in (("y", 12), ("q", 3)):
        if months % size == 0:
            return f"{months // size}{unit}"
    return f"{months}mo"


def _in_units(step: int) -> str:
    unit, size = next((u, s) for u, s in (*UNITS, *SMALL_UNITS) if step % s == 0)
    return f"{step // size}{unit}"


def _share(share: float) -> str:
    return f"the difference of {'all' if share == 1 else f'{_percent(share)} of the'} rows"


def _percent(share: float) -> str:
    # Never 100% of what is not all.
    return f"{min(share, 0.999) * 100:.3g}%" if share > 0.99 else f"{share:.0%}"


# The cycles of the calendar, in steps of each frequency.
CALENDAR = {
    "1s": (60,),
    "1m": (60,),
    "5m": (288, 12),
    "10m": (144, 6),
    "15m": (96,),
    "20m": (72,),
    "30m": (48, 336),
    "1h": (24, 168),
    "2h": (12, 84),
    "3h": (8, 56),
    "4h": (6, 42),
    "6h": (4, 28),
    "8h": (3, 21),
    "12h": (2, 14),
    "1d": (7, 365),
    "1w": (52,),
    "2w": (26,),
    "1mo": (12,),
    "2mo": (6,),
    "1q": (4,),
    "2q": (2,),
}


def season_of(frequency: str | None, values: Sequence[Floats], workdays: bool = False) -> Finding:
    """After how many steps the series repeat, with the reason; 1 if they do not.

    The calendar proposes the cycle and the autocorrelation confirms it, or proves another that
    keeps its length: one that drifts, as that of the sunspots does, would mislead whoever relies
    on it. ``values`` are rows of the training part, evenly spaced, of one or several series.
    """
    values = [_in_own_unit(series) for series in values]
    calendar = CALENDAR.get(frequency or "", ())
    if workdays:
        calendar = (5, 260)
    tested = {season: strength(values, season) for season in calendar}
    known = {season: strengths for season, strengths in tested.items() if strengths is not None}
    good = {season: strengths[0] for season, strengths in known.items() if _lasts(strengths, WEAK)}
    if good:
        # A longer cycle holds the shorter one, and should be clearly better to be preferred.
        season = next(s for s in sorted(good) if good[s] > max(good.values()) - 0.1)
        return Finding(
            str(season), f"{_data(frequency)}; autocorrelation at {season} is {good[season]:.2f}"
        )
    if calendar and not known:
        return _unknown(frequency, calendar[0], values)
    reason = "".join(
        f"{_data(frequency)}, but autocorrelation at {season} is only {strengths[0]:.2f}"
        for season, strengths in [*known.items()][:1]
    )
    return _other(values, reason)


def _in_own_unit(series: Floats) -> Floats:
    """A series from -1 to 1: in whatever unit it is given, its cycles are the same."""
    largest = np.abs(series).max(initial=0.0)
    if largest == 0:
        return series
    scaled: Floats = series / largest
    spread = np.ptp(scaled)
    return (scaled - scaled.mean()) / spread if spread > 0 else np.zeros_like(scaled)


def _data(frequency: str | None) -> str:
    names = {"1h": "hourly", "1d": "daily", "1w": "weekly", "1mo": "monthly", "1q": "quarterly"}
    return f"{names.get(frequency or '', f'a row each {frequency}')} data".replace(
        f"{frequency} data", f"{frequency}"
    )


def _unknown(frequency: str | None, season: int, values: Sequence[Floats]) -> Finding:
    longest = max(map(len, values), default=0)
    if season * 2 <= longest:
        return Finding(str(season), f"{_data(frequency)}; too few rows to confirm it")
    return Finding("1", f"{longest} rows are too few to see a cycle of {season}")


def _other(values: Sequence[Floats], reason: str) -> Finding:
    peaks = [peak for series in values if (peak := _peak(series)) is not None]
    if not peaks:
        return Finding("1", reason or "no cycle stands out in the autocorrelation")
    peak = int(np.median(peaks))
    strengths = strength(values, peak)
    if strengths is None or len(peaks) * 2 < len(values) or not _lasts(strengths, STRONG):
        drifts = f"the cycle of about {peak} does not keep its length"
        return Finding("1", f"{reason}, and {drifts}" if reason else drifts)
    also = f"{reason}, and " if reason else "autocorrelation "
    return Finding(
        str(peak), f"{also}{'at' if not reason else 'that at'} {peak} is {strengths[0]:.2f}"
    )


def _lasts(strengths: tuple[float, float], least: float) -> bool:
    once, twice = strengths
    return once >= least and twice >= LASTING * once


def strength(values: Sequence[Floats], season: int) -> tuple[float, float] | None:
    """Autocorrelation after one and two cycles, the median over series; None if all are too short.

    What changes more slowly than the cycle, its moving average over one, is taken off first, so
    that a trend does not count as repetition.
    """
    of_series = []
    for series in values:
        rest = series - moving_average(series, season)
        rest = rest[~np.isnan(rest)]
        if len(rest) >= 2 * season + 4:
            twice = autocorrelation(rest, 2 * season)
            of_series.append((autocorrelation(rest, season), twice))
    if not of_series:
        return None
    once, twice = np.median(np.array(of_series), axis=0)
    return float(once), float(twice)


def moving_average(series: Floats, season: int) -> Floats:
    """The centred mean over one cycle, NaN where it does not fit at the ends."""
    weights = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    result = np.full(len(series), np.nan)
    half = len(weights) // 2
    if len(series) >= len(weights):
        sums = np.cumsum(np.r_[0.0, series])
        width = len(weights)
        total = sums[width:] - sums[:-width]
        if season % 2 == 0:
            total -= (series[: -width + 1] + series[width - 1 :]) / 2
        result[half : half + len(total)] = total / season
    return result


def autocorrelation(series: Floats, lag: int) -> float:
    """The correlation of a series with itself ``lag`` steps later, 0 for a constant one."""
    one, two = series[:-lag] - series[:-lag].mean(), series[lag:] - series[lag:].mean()
    scale = np.sqrt((one**2).sum() * (two**2).sum())
    return float((one * two).sum() / scale) if scale > 1e-12 else 0.0


def _peak(series: Floats) -> int | None:
    """The lag of the first high peak of the autocorrelation, its trend taken off."""
    longest = min(LONGEST, len(series) // 4)
    if longest < 3:
        return None
    ranks = np.arange(len(series))
    rest = series - np.polynomial.Polynomial.fit(ranks, series, 1)(ranks)
    size = 1 << (2 * len(rest) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(rest, size)) ** 2
    if spectrum.sum() < 1e-12:
        return None
    lags = np.fft.irfft(spectrum, size)[: longest + 2]
    lags = lags / lags[0] * len(rest) / (len(rest) - np.arange(len(lags)))
    inner = lags[1:-1]
    peaks = np.flatnonzero((inner > lags[:-2]) & (inner >= lags[2:]) & (inner > WEAK)) + 1
    peaks = peaks[peaks > 1]
    if not len(peaks):
        return None
    high = peaks[lags[peaks] > lags[peaks].max() - 0.1]
    return int(high[0])
