"""What a comparison found: who can be told from whom, and what to use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
BY_SERIES = "series"  # the unit where many series are judged at a few moments


class Placing(BaseModel):
    """One candidate's mean loss over seeds and units, its rank from 1, and its skill.

    ``skill`` is 1 - loss / loss of the baseline with the lowest mean. None: there is no baseline,
    its loss is not above zero, or the interval would have no end.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    baseline: bool
    seeds: int
    rank: int
    loss: float
    interval: Interval | None
    skill: float | None
    skill_interval: Interval | None


class Pair(BaseModel):
    """Two candidates, ``lower`` the one of the lower mean loss.

    ``difference`` is how much higher the loss of ``higher`` is, ``relative`` that as a share of the
    loss of ``higher``. ``p`` is the larger of the two tests', ``p_adjusted`` Holm's;
    ``p_diebold_mariano`` is None for sequences and where it is not defined. Intervals stand for
    one pair alone, not for all together.
    """

    model_config = ConfigDict(frozen=True)

    lower: str
    higher: str
    difference: float
    interval: Interval | None
    relative: float | None
    relative_interval: Interval | None
    p: float
    p_adjusted: float
    p_diebold_mariano: float | None
    told_apart: bool


class Needed(BaseModel):
    """What it takes to tell ``first`` from ``second`` if they differ by ``relative``.

    In eight of ten cases, as one of as many pairs. ``seeds``: of each candidate that has seeds,
    with the same test part; ``units``: more sequences (groups, where given) or origins, with the
    same seeds; ``times``: as many of both. None: more of that alone is not enough. ``enough``: this
    comparison had that chance already.
    """

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    relative: float
    enough: bool
    seeds: int | None
    units: int | None
    times: float | None


class Verdict(BaseModel):
    """What a comparison found: ``candidates`` by rank, ``pairs`` by the ranks of both, ``text``.

    ``confidence_set``: those that cannot be told from ``best``, the candidate of the lowest mean
    loss, and itself. ``recommended``: the baseline of the lowest mean loss, unless it is told apart
    from some network of a lower one: then the network of the lowest loss among those. It is
    ``best`` where there is no baseline. ``comparable`` is false where the test part is too short
    for any test. ``seeds_unknown``: trained with one seed only, so that what another seed would
    have given is not in any interval.
    """

    model_config = ConfigDict(frozen=True)

    unit: str  # what a loss is of: "test sequence", "forecast origin", "series"
    overlapping: bool  # whether neighbours share steps
    metric: str
    units: int
    groups: int | None
    horizon: int
    level: float
    comparable: bool
    candidates: tuple[Placing, ...]
    pairs: tuple[Pair, ...]
    confidence_set: tuple[str, ...]
    best: str
    best_recurrent: str | None
    best_baseline: str | None
    recommended: str
    seeds_unknown: tuple[str, ...]
    needed: Needed | None
    text: str = ""

    def candidate(self, name: str) -> Placing:
        """The candidate called ``name``."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def pair(self, first: str, second: str) -> Pair:
        """The pair of these two, in whichever order."""
        return next(pair for pair in self.pairs if {pair.lower, pair.higher} == {first, second})
