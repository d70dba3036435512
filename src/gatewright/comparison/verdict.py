"""What a comparison found: which networks are better than the best baseline, and what to use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
BY_SERIES = "series"  # the unit where many series are judged at a few moments
SHOWN = 0.05  # the share of a loss that ``Pair`` tells the cost of seeing


class Placing(BaseModel):
    """One candidate's mean loss over seeds and units, its rank from 1, and its skill.

    ``interval`` is of this loss alone, on further units. ``skill`` is 1 - loss / loss of the
    baseline with the lowest mean; its interval is that of the pair, for networks only. None: there
    is no baseline, its loss is not above zero, or the interval has no end.
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
    """Two candidates that were tested: by how much the loss of ``candidate`` is the lower one.

    ``difference`` is the loss of ``other`` less that of ``candidate``, ``relative`` the same as a
    share of the loss of ``other`` (None where that is not above zero). The intervals hold for all
    pairs of a question together, and leave out zero exactly where the two are ``told_apart``; None:
    without end. ``visible``: the least difference that would have been told in eight of ten cases.
    ``units``, ``seeds``: how many of either alone would tell 5% of the loss of ``other``, where
    that is more than there are and less than 20 times as many.
    """

    model_config = ConfigDict(frozen=True)

    candidate: str
    other: str
    difference: float
    interval: Interval | None
    relative: float | None
    relative_interval: Interval | None
    told_apart: bool
    visible: float | None
    units: int | None
    seeds: int | None

    @property
    def better(self) -> bool:
        """Whether ``candidate`` was shown to have the lower loss."""
        return self.told_apart and self.difference > 0


class Verdict(BaseModel):
    """What a comparison found: ``candidates`` by rank, the pairs of both questions, ``text``.

    ``against_baseline``: each network against the baseline of the lowest mean loss, as they would
    be shipped; at 1 - 2 ``level``, as only better ones count. ``among_networks``: where one of them
    is better, or there is no baseline, every two networks as trained anew with one seed; at 1 -
    ``level``.
    ``recommended``: of the better networks that with the lowest loss, or else the baseline;
    ``close``: it, and what was tested against it and not told apart. ``comparable`` is false where
    the test part is too short for any test. ``seeds_unknown``: networks trained with one seed only,
    which no pair of ``among_networks`` holds.
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
    against_baseline: tuple[Pair, ...]
    among_networks: tuple[Pair, ...]
    close: tuple[str, ...]
    best: str
    best_recurrent: str | None
    best_baseline: str | None
    recommended: str
    seeds_unknown: tuple[str, ...]
    text: str = ""

    @property
    def confidence(self) -> float:
        """Of the intervals of losses and skills."""
        return 1 - 2 * self.level

    @property
    def independent(self) -> int:
        """How many stretches of the test part have nothing in common: groups, units, horizons."""
        return self.groups or (self.units // self.horizon if self.overlapping else self.units)

    def candidate(self, name: str) -> Placing:
        """The candidate called ``name``."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def pair(self, first: str, second: str) -> Pair:
        """The pair of these two, in whichever order; StopIteration where it was not tested."""
        tested = (*self.against_baseline, *self.among_networks)
        return next(pair for pair in tested if {pair.candidate, pair.other} == {first, second})
