"""The numbers that a person may give, and how far each may go: all of them, in this one place.

Upper ends are beyond what anyone needs, and low enough that a typing error ends in a sentence and
not in a machine out of memory. The command line and the Python interface check against them at the
door; the code behind may rely on it.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatewright.errors import InputError, argument

MILLION = 1_000_000
LONGEST_QUOTE = 40  # characters of a value that is quoted back


class Limit(Protocol):
    """What one number may be."""

    @property
    def words(self) -> str:
        """As "a whole number from 1 to 1,000"."""

    def holds(self, value: Any) -> bool:
        """Whether a value is such a number."""

    def read(self, text: str) -> Any:
        """The number that a text is; None where it is none."""


@dataclass(frozen=True)
class Whole:
    """A whole number, of Python or numpy, and no decimal that happens to be one."""

    least: int
    most: int

    @property
    def words(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"

    def holds(self, value: Any) -> bool:
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return whole and self.least <= int(value) <= self.most

    def read(self, text: str) -> int | None:
        # Longer ones are beyond every limit, and Python does not even read those of 4,300 digits.
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,30}", text.strip()) else None


@dataclass(frozen=True)
class Real:
    """A finite number from 0 or above it, and below an end if there is one."""

    zero: bool
    below: float = math.inf

    @property
    def words(self) -> str:
        if self.below == math.inf:
            return f"a finite number {'from 0' if self.zero else 'above 0'}"
        return f"a number {'from 0 to' if self.zero else 'above 0 and'} below {self.below:g}"

    def holds(self, value: Any) -> bool:
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        number: Any = value  # compared as it is: a whole number may be too large for a float
        return bool((number >= 0 if self.zero else number > 0) and number < self.below)

    def read(self, text: str) -> float | None:
        try:
            return float(text)
        except ValueError:
            return None


LIMITS: Mapping[str, Limit] = {
    # Steps
    "horizon": Whole(1, 100_000),
    "context": Whole(1, MILLION),
    "season": Whole(1, MILLION),
    "truncate": Whole(0, MILLION),
    # A network: how large it may be is a question of memory too
    "input_size": Whole(1, MILLION),
    "hidden_size": Whole(1, 65_536),
    "num_layers": Whole(1, 100),
    "dropout": Real(zero=True, below=1),
    "parameters": Whole(1, 1_000 * MILLION),
    # Its training
    "learning_rate": Real(zero=False),
    "batch_size": Whole(1, 65_536),
    "epochs": Whole(1, MILLION),
    "steps_per_epoch": Whole(1, MILLION),
    "patience": Whole(1, MILLION),
    "validation_fraction": Real(zero=True, below=1),
    "seed": Whole(0, 2**32 - 1),
    # How much is tried, and how much at a time
    "settings": Whole(1, 1_000),
    "seeds": Whole(1, 1_000),
    "jobs": Whole(1, 1_024),
    "threads": Whole(1, 1_024),
}
SHARE, SHARE_OR_NONE = (Real(zero=zero, below=1) for zero in (False, True))
EVERYTHING = (1.0, 0.0, 0.0)  # shares of a model whose like was judged: nothing is kept back
PART_ROWS = Whole(1, 1_000_000 * MILLION)
MILLENNIUM = 365_250  # days; the longest step
LONGEST_INTEGER_STEP = 10**18


def check(values: Mapping[str, Any], *, optional: Sequence[str] = ()) -> None:
    """Raise InputError for the first argument that is beyond its limit.

    values: arguments by name, others than numbers too; optional: those that may be None.
    """
    for name, value in values.items():
        limit = LIMITS.get(name)
        if limit is None or (value is None and name in optional):
            continue
        if not limit.holds(value):
            raise refusal(argument(name), limit, value)


def refusal(called: str, limit: Limit, value: Any) -> InputError:
    """The sentence for a number that is beyond its limit."""
    try:
        quoted = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        quoted = "one of thousands of digits"
    quoted = quoted if len(quoted) <= LONGEST_QUOTE else f"{quoted[:LONGEST_QUOTE]}..."
    return InputError(f"{called} is to be {limit.words}, not {quoted}")


def check_shares(shares: Any) -> None:
    """Raise InputError for shares that are not three numbers above 0 with the sum 1; the last one,
    that of test, may be 0, and 1,0,0 are all rows for training."""
    if isinstance(shares, tuple) and shares == EVERYTHING:
        return
    called, what = argument("shares"), "three numbers above 0 with the sum 1, as 0.7,0.1,0.2"
    three = isinstance(shares, Sequence) and len(shares) == 3
    if three and shares[1] == 0:
        raise without_validation()
    _check_three(shares, (SHARE, SHARE, SHARE_OR_NONE), called, what)
    if abs(math.fsum(shares) - 1) > 1e-6:
        raise InputError(
            f"{called} is to be {what}, and {','.join(f'{share:g}' for share in shares)} have the "
            f"sum {math.fsum(shares):g}"
        )


def without_validation() -> InputError:
    """The sentence for shares that leave nothing to choose by."""
    return InputError(
        f"{argument('shares')} leaves nothing for validation, which tells when training is to stop "
        "and how wide bands are: give it some, as 0.9,0.1,0"
    )


def check_rows(rows: Any) -> None:
    """Raise InputError for lengths of parts that are not three whole numbers above 0."""
    what = "three whole numbers above 0, as 8640,2880,2880"
    _check_three(rows, (PART_ROWS,) * 3, argument("rows"), what)


def _check_three(values: Any, limits: Sequence[Limit], called: str, what: str) -> None:
    several = isinstance(values, Sequence) and not isinstance(values, str)
    if not several or len(values) != 3:
        quoted = ",".join(map(str, values)) if several else repr(values)
        raise InputError(f"{called} is to be {what}, not {quoted[:LONGEST_QUOTE]}")
    for value, limit in zip(values, limits, strict=True):
        if not limit.holds(value):
            raise refusal(f"each of the three numbers of {called}", limit, value)
