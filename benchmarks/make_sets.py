"""Make the data sets that ship with Gatewright from public files of them.

    python benchmarks/make_sets.py --sunspots sunspots.csv --airline airline.csv --co2 co2.csv

Each input is a CSV file with a header, the time in its first column and the number in its second:

--sunspots  monthly, "1749-01": R's `sunspots`, of Andrews and Herzberg 1985
--airline   monthly, "1949-01": R's `AirPassengers`, of Box and Jenkins 1976, series G
--co2       weekly, "19580329": statsmodels/datasets/co2/co2.csv, of Keeling and Whorf, 2004

src/gatewright/data/sets/README.md describes what comes out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

SETS = Path(__file__).parents[1] / "src" / "gatewright" / "data" / "sets"

# name: (the column's name, decimals, months)
SERIES = {
    "sunspots": ("sunspots", 1, 2820),
    "airline": ("passengers", 0, 144),
    "co2": ("co2", 2, 526),
}


def read(path: Path) -> list[tuple[str, str]]:
    """(time, number) of each row; the number may be empty."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(time, number) for time, number in csv.reader(file)][1:]


def month_of(time: str) -> str:
    """ "1958-03" of "1958-03" or "19580329"."""
    digits = time.replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}"


def months_between(first: str, last: str) -> list[str]:
    """Every month from first to last."""
    begin, end = (12 * int(text[:4]) + int(text[5:]) - 1 for text in (first, last))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(begin, end + 1)]


def monthly(rows: Iterable[tuple[str, str]], decimals: int) -> list[tuple[str, str]]:
    """The mean of each month, exact before it is rounded; empty for a month without a number."""
    found: dict[str, list[Decimal]] = defaultdict(list)
    for time, number in rows:
        numbers = found[month_of(time)]
        if number:
            numbers.append(Decimal(number))
    places = Decimal(1).scaleb(-decimals)
    return [
        (
            month,
            str((sum(numbers, Decimal()) / len(numbers)).quantize(places, ROUND_HALF_EVEN))
            if numbers
            else "",
        )
        for month in months_between(min(found), max(found))
        for numbers in [found.get(month, [])]
    ]


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 if an input does not hold the series that is expected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in SERIES:
        parser.add_argument(f"--{name}", type=Path, metavar="CSV", help=f"make {name}.csv from it")
    parser.add_argument(
        "--out", type=Path, default=SETS, metavar="FOLDER", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    for name, (column, decimals, months) in SERIES.items():
        source = getattr(options, name)
        if source is None:
            continue
        rows = monthly(read(source), decimals)
        if len(rows) != months:
            print(f"{source}: {len(rows)} months, not the {months} of {name}", file=sys.stderr)
            return 1
        with (options.out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("month", column), *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
