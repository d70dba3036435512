"""Numbers near the end of what a float holds: they work, or one sentence names their column.

Warnings are errors here, so that none of numpy's reaches a terminal.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asked import guess, prepare
from gatewright import cli
from gatewright.data.guess.seasons import season_of
from gatewright.data.table.reading import read
from gatewright.errors import InputError
from gatewright.estimators import Forecaster, SequenceRegressor
from gatewright.requests import Columns

TOO_LARGE = [1e154, 1e200, 1.6e308]
DAYS = [date(2024, 1, 1) + timedelta(days=day) for day in range(120)]
NOISE = np.random.default_rng(0).normal(0, 0.1, len(DAYS))
WAVE = np.sin(np.arange(len(DAYS)) * 2 * np.pi / 7) + NOISE
WAVE /= np.abs(WAVE).max()
QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "steps_per_epoch": 2}


def prepared(frame: pl.DataFrame, folder: Path, **given: Any) -> Any:
    table = read(frame)
    return prepare(table, guess(table, Columns(**given))[0], folder / "data")


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1.0, 1e77, 1e150, *TOO_LARGE])
def test_a_season_is_the_same_in_every_unit(size: float) -> None:
    for frequency, offset in (("1d", 0), (None, 0), (None, 0.5)):
        expected = season_of(frequency, [WAVE + 0.25])
        assert expected.value == "7"
        assert season_of(frequency, [(WAVE + offset) / 2 * size]) == expected
    assert season_of("1d", [np.full(100, size)]).value == "1"


@pytest.mark.parametrize("size", [1e77, 1e150])
def test_large_numbers_are_forecast_as_others_are(size: float) -> None:
    plain = Forecaster(horizon=7, **QUICK).fit(WAVE).predict()
    large = Forecaster(horizon=7, **QUICK).fit(WAVE * size).predict()
    np.testing.assert_allclose(large / size, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", TOO_LARGE)
def test_numbers_too_large_to_square_are_named(size: float, tmp_path: Path) -> None:
    frame = pl.DataFrame({"day": DAYS, "sales": WAVE, "price": WAVE * size})
    for target in ("sales", "price"):
        with pytest.raises(InputError, match=r"row \d+ .*: column 'price' holds .* too large to"):
            prepared(frame, tmp_path, targets=[target])
    wide = pl.DataFrame({f"x{step}": WAVE[step:][:60] * size for step in range(5)})
    wide = wide.with_columns(label=pl.Series(WAVE[:60]))
    with pytest.raises(InputError, match=r"row \d+ .* a column from 'x0' to 'x4' .* too large"):
        prepared(wide, tmp_path, targets=["label"], task="regress")
    wide = pl.DataFrame({f"x{step}": WAVE[step:][:60] for step in range(5)})
    wide = wide.with_columns(label=pl.Series(WAVE[:60] * size))
    with pytest.raises(InputError, match=r"sequence \d+.*: column 'label' holds numbers too large"):
        prepared(wide, tmp_path, targets=["label"], task="regress")
    x = WAVE[:60].reshape(20, 3)
    with pytest.raises(InputError, match="too large to square"):
        SequenceRegressor(**QUICK).fit(x * size, x[:, 0])
    with pytest.raises(InputError, match="too large to square"):
        SequenceRegressor(**QUICK).fit(x, x[:, 0] * size)


@pytest.mark.parametrize("sign", [-1, 1])
def test_numbers_whose_sum_is_infinite_are_named(sign: int, tmp_path: Path) -> None:
    """Their mean is infinite, and their spread too: the two have no sum where signs differ."""
    frame = pl.DataFrame({"day": DAYS, "sales": (WAVE / 10 + sign) * 1.5e308, "price": WAVE})
    for target in ("sales", "price"):
        with pytest.raises(InputError, match=r"row \d+ .*: column 'sales' holds .* too large to"):
            prepared(frame, tmp_path, targets=[target])
    wide = pl.DataFrame({f"x{step}": WAVE[step:][:60] for step in range(5)})
    wide = wide.with_columns(label=frame["sales"][:60])
    with pytest.raises(InputError, match=r"sequence \d+.*: column 'label' holds numbers too large"):
        prepared(wide, tmp_path, targets=["label"], task="regress")


def test_a_label_far_from_those_of_the_training_is_named(tmp_path: Path) -> None:
    """In float32, where networks are judged, it would be infinite."""
    wide = pl.DataFrame({f"x{step}": WAVE[step:][:60] for step in range(5)})
    label = pl.Series([*WAVE[:59], 1e60])
    split = pl.Series(["train"] * 40 + ["validation"] * 10 + ["test"] * 10)
    frame = wide.with_columns(label=label, split=split)
    with pytest.raises(InputError, match=r"sequence 60: label is 1e\+60, too far from the"):
        prepared(frame, tmp_path, targets=["label"], task="regress")
    y = np.array(WAVE[:100])
    held = SequenceRegressor(**QUICK).fit(WAVE[:100, None], y)  # the last tenth is held out
    assert held.predict(WAVE[:3, None]).shape == (3,)
    far = [place for place in range(100) if _refused(y, place)]
    assert len(far) == 10


def _refused(y: np.ndarray[Any, Any], place: int) -> bool:
    """Whether a number far from the others is found to be so: it is, where it is held out."""
    changed = y.copy()
    changed[place] = 1e60
    try:
        SequenceRegressor(**QUICK).fit(WAVE[:100, None], changed)
    except InputError as error:
        assert f"y is 1e+60 at sample {place}, too far" in str(error)  # noqa: PT017
        return True
    return False


def test_nothing_of_numpy_on_the_terminal(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{day},{float(value) * 1.6e308!r}" for day, value in zip(DAYS, WAVE, strict=True)]
    Path("large.csv").write_text("\n".join(["day,sales", *rows, ""]))
    assert cli.main(["compare", "large.csv", "--quiet"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "gatewright: row 13 (line 14) of large.csv: column 'sales' holds numbers too "
        "large to square, as -1.6e+308; correct it, or give the column in a larger unit, or its "
        "logarithm\n"
    )
