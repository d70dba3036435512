"""Which network does this series need, and does it need one? From a data frame to a forecast."""

import polars as pl

import gatewright as gw
from gatewright.data.sets import path

frame = pl.read_csv(path("airline"), try_parse_dates=True)

# Less than the quick budget, so that it ends in seconds. Leave the last four out for an answer that
# is worth something.
result = gw.compare(frame, target="passengers", cells="gru", settings=1, seeds=2, epochs=4)

print(result.verdict.text)
for row in result.leaderboard.iter_rows(named=True):
    print(f"{row['title']:16} {row['loss']:.3f}  {row['parameters']:,} parameters")
for row in result.best.predict().iter_rows(named=True):
    low, point, high = (row[f"passengers{end}"] for end in (" 0.05", "", " 0.95"))
    print(f"{row['month']}: {point:.0f} passengers, {low:.0f} to {high:.0f}")
