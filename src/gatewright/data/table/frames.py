"""Data frames of other libraries: as columns of polars, and answers in the kind that was given."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl

from gatewright.data.table.files import check_names
from gatewright.errors import InputError

FRAME = "the data frame"


@dataclass(frozen=True)
class Native:
    """The library of a data frame, so that answers are frames of it too.

    index: of pandas, the column that its index of times became; called: what it was called there.
    dtypes: of pandas, the types of its columns of times.
    """

    library: nw.Implementation
    index: str | None = None
    called: Any = None
    dtypes: Mapping[str, Any] = field(default_factory=dict)

    def frame(self, answer: pl.DataFrame) -> Any:
        """An answer as a frame of that library, its times as those of what was given."""
        values = {name: _values(answer[name]) for name in answer.columns}
        found = nw.from_dict(values, backend=self.library.to_native_namespace()).to_native()
        if not self.library.is_pandas_like():
            return found
        for name in set(self.dtypes) & set(answer.columns):
            found[name] = _as(found[name], self.dtypes[name])
        if self.index in answer.columns:
            found = found.set_index(self.index)
            found.index.name = self.called
        return found


def as_given(answer: pl.DataFrame, native: Native | None) -> Any:
    """An answer as the kind of frame that was given; of polars where that was a file."""
    return answer if native is None else native.frame(answer)


def from_frame(source: Any) -> tuple[pl.LazyFrame, Native | None]:
    """A data frame that narwhals reads as columns of polars, and its library.

    The library is None where answers are frames of polars: of polars itself, and of what is only
    computed where it is stored.

    Raises InputError for anything else, and for columns that cannot be read.
    """
    native = None
    if hasattr(source, "reset_index"):  # pandas, whose index is often the time
        source, native = _pandas(source)
    try:
        frame = nw.from_native(source)
    except TypeError:
        raise InputError(
            f"expected a path or a data frame (polars, pandas, pyarrow, ...), found "
            f"{type(source).__name__}; give one of these."
        ) from None
    except nw.exceptions.NarwhalsError:
        raise InputError(_unreadable(source)) from None
    if frame.implementation.is_pyarrow():
        native = Native(frame.implementation)
    try:
        lazy = frame.lazy(backend="polars") if isinstance(frame, nw.DataFrame) else frame
        found = lazy.to_native()
        if not isinstance(found, pl.LazyFrame):
            found = lazy.collect(backend="polars").to_native().lazy()
    except Exception:  # noqa: BLE001 - of whichever library the frame comes from
        raise InputError(_unreadable(source)) from None
    return found, native


def _unreadable(source: Any) -> str:
    """Which column of a data frame cannot be read, as far as it can be found."""
    odd = []
    for name in getattr(source, "columns", ()):
        try:
            nw.from_native(source[[name]]).lazy(backend="polars").collect()
        except Exception:  # noqa: BLE001 - the same again
            odd.append(repr(name))
    which = f"column {odd[0]} of {FRAME}" if odd else FRAME
    return f"{which} cannot be read; give each column numbers, words or times, all of one type."


def _pandas(source: Any) -> tuple[Any, Native | None]:
    """With the index as columns, if it is more than the numbers of the rows."""
    check_names(tuple(map(str, source.columns)), FRAME)
    index = source.index
    timed = any(word in type(index).__name__ for word in ("Datetime", "Period"))
    called, name, dtypes = index.name, None, {}
    if any(index.names) or timed:
        unnamed = {None: "time"} if index.nlevels == 1 else {}
        names = [unnamed.get(name, name) for name in index.names]
        twice = [name for name in names if name in source.columns]
        if twice:
            raise InputError(
                f"the index and a column of {FRAME} are both called {twice[0]!r}: rename one of "
                "them, or drop the index with reset_index(drop=True)."
            )
        if timed:
            name = names[0]
            dtypes[name] = index.dtype
        source = source.rename_axis(names).reset_index()
    source = source.copy(deep=False)
    for column in source.columns:
        dtype = str(source[column].dtype)
        if dtype.startswith(("datetime64", "period")):
            dtypes.setdefault(column, source[column].dtype)
        if dtype.startswith("period"):
            source[column] = source[column].dt.to_timestamp()
        elif _of_words_and_numbers(source[column]):
            source[column] = source[column].astype(object).map(str, na_action="ignore")
    try:
        library = nw.Implementation.from_native_namespace(nw.get_native_namespace(source))
    except TypeError:  # no frame that narwhals knows, as who reads it will say
        return source, None
    return source, Native(library, name, called, dtypes)


def _of_words_and_numbers(column: Any) -> bool:
    """Whether a column of pandas holds both, as a file may, where all of it is text."""
    if str(column.dtype) not in ("object", "category"):
        return False
    kinds = set(map(type, column.dropna()))
    plain = all(issubclass(kind, str | numbers.Number | np.bool_) for kind in kinds)
    return plain and len(kinds) > 1 and str in kinds


def _values(column: pl.Series) -> Any:
    """A column as every library takes it: numbers and times as arrays, all else as a list."""
    zone = getattr(column.dtype, "time_zone", None)
    plain = column.dtype.is_numeric() or (column.dtype == pl.Datetime and zone is None)
    return column.to_numpy() if plain else column.to_list()


def _as(times: Any, dtype: Any) -> Any:
    """Times of pandas in the type that they were given in."""
    if str(dtype).startswith("period"):
        return times.dt.to_period(dtype.freq)
    return times.astype(dtype)
