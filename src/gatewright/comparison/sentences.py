"""The verdict in plain English: one paragraph, each claim with its interval.

It says what to ship, what that rests on, who cannot be told from whom, what it would take to see
more, and what the intervals leave out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewright.comparison.records import Plan, Row
from gatewright.comparison.verdict import BY_SERIES, Pair, Placing, Verdict
from gatewright.errors import argument
from gatewright.wording.numbers import (
    about,
    counted_in_words,
    decimals_within,
    interval,
    number,
    percent_in_words,
    several,
    skill_interval_in_words,
)


def paragraph(verdict: Verdict) -> str:
    """The text of ``verdict``: between one and about six sentences."""
    if len(verdict.candidates) == 1:
        sentences = [_alone(verdict)]
    elif not verdict.comparable:
        sentences = [_too_short(verdict), _advice_for_now(verdict)]
    else:
        sentences = [_advice(verdict), _neighbours(verdict), _more(verdict)]
        if verdict.best_baseline is None:
            sentences.append(
                "No baseline was run, so nothing here says whether a recurrent network is needed."
            )
        elif verdict.best_recurrent is None:
            sentences.append("No recurrent network was compared.")
    return " ".join(filter(None, [*sentences, _one_seed(verdict), _same_moments(verdict)]))


def left_out(failed: Mapping[str, str]) -> str:
    """A sentence on candidates that failed: title -> reason."""
    verb = "failed and is" if len(failed) == 1 else "failed and are"
    return f"{_start(_listed(list(failed)))} {verb} left out ({next(iter(failed.values()))})."


def of_training(rows: Sequence[Row], plan: Plan) -> list[str]:
    """What went on in training that bears on the outcome, and what to do about it."""
    found = []
    for row in rows:
        seeds = [f"seed {name.rpartition('-')[2]}" for name in row.left_out]
        if seeds:
            verb = "did not learn and is" if len(seeds) == 1 else "did not learn and are"
            found.append(
                f"{_start(row.title)}: {_listed(seeds)} {verb} left out of what is judged; "
                f"{argument('seeds', 2 * len(plan.seeds))} tells how often that happens."
            )
    improving = [row.title for row in rows if row.improving]
    if improving and plan.stopping.seconds is None:
        verb = "was" if len(improving) == 1 else "were"
        longer = argument("epochs", 2 * plan.stopping.epochs)
        found.append(
            f"{_start(_listed(improving))} {verb} still improving when training ended: {longer} "
            "gives every network twice as long."
        )
    return found


# Parts of sentences


def _independent(verdict: Verdict) -> str:
    """What there may be more of, as "forecast origins"."""
    units = several(verdict.unit)
    return units if verdict.groups is None else f"groups of {units}"


def _units(verdict: Verdict) -> str:
    """As "400 test sequences in 12 groups" or "200 forecast origins"."""
    groups = f" in {counted_in_words(verdict.groups, 'group')}" if verdict.groups else ""
    return f"{counted_in_words(verdict.units, verdict.unit)}{groups}"


def _basis(verdict: Verdict, candidates: Sequence[Placing], interval: str | None) -> str:
    """In brackets: "95% interval 2 to 9%; 5 seeds, 400 test sequences"."""
    seeds = sorted({one.seeds for one in candidates if one.seeds > 1 or not one.baseline})
    counts = [" and ".join(counted_in_words(count, "seed") for count in seeds)] if seeds else []
    amounts = ", ".join([*counts, _units(verdict)])
    return f"({_level(verdict, interval)}; {amounts})"


def _level(verdict: Verdict, interval: str | None) -> str:
    """As "95% interval 2 to 9%"."""
    level = f"{100 * (1 - verdict.level):g}% interval"
    return f"{level} {interval}" if interval else f"no finite {level}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


# Claims about a pair


def _size(verdict: Verdict, pair: Pair) -> tuple[str, str | None]:
    """By how much ``pair.lower`` is lower, and the interval, both as words."""
    if pair.relative is not None:
        share = pair.relative_interval
        if share is None:
            return percent_in_words(pair.relative), None
        # No more digits than the interval has.
        decimals = decimals_within(*share) if abs(pair.relative) >= 0.03 else None
        return percent_in_words(pair.relative, decimals), skill_interval_in_words(*share)
    ends = pair.interval
    return f"{pair.difference:.3g}", f"{ends[0]:.3g} to {ends[1]:.3g}" if ends else None


def _beats(verdict: Verdict, pair: Pair, *, lower: str = "", higher: str = "") -> str:
    """As "GRU beats ridge by 6% in mean squared error (95% interval ...)"."""
    both = [verdict.candidate(pair.lower), verdict.candidate(pair.higher)]
    size, interval = _size(verdict, pair)
    return (
        f"{lower or both[0].title} beats {higher or both[1].title} by {size} in {verdict.metric} "
        f"{_basis(verdict, both, interval)}"
    )


def _close(verdict: Verdict, pair: Pair) -> str:
    """What to say of a pair that is not told apart."""
    both = [verdict.candidate(pair.lower), verdict.candidate(pair.higher)]
    first, second = (one.title for one in both)
    if pair.difference == 0:
        return f"{_start(first)} and {second} have the same {verdict.metric}."
    size, interval = _size(verdict, pair)
    return (
        f"{_start(first)} and {second} cannot be told apart: the {verdict.metric} of {first} is "
        f"{size} lower {_basis(verdict, both, interval)}{_reservation(verdict, pair)}."
    )


def _reservation(verdict: Verdict, pair: Pair) -> str:
    """Why an interval without zero is not enough."""
    if pair.interval is None or pair.interval[0] <= 0:
        return ""
    if pair.p > verdict.level:
        return ", which the test of Diebold and Mariano does not confirm"
    if pair.p_adjusted > verdict.level:
        pairs = counted_in_words(len(verdict.pairs), "pair")
        return f", which is not enough where {pairs} are compared"
    return ", but the model confidence set keeps both"


# Sentences


def _alone(verdict: Verdict) -> str:
    only = verdict.candidates[0]
    ends = interval(*(only.interval or (None, None))) or None
    return (
        f"{_start(only.title)} is the only candidate: its {verdict.metric} is {number(only.loss)} "
        f"{_basis(verdict, [only], ends)}. There is nothing to compare it with, so no advice "
        "follows."
    )


def _too_short(verdict: Verdict) -> str:
    text = "The test part is too short to tell anything apart"
    if not verdict.overlapping:
        return f"{text}: it holds {_units(verdict)}."
    return (
        f"{text}: it holds {_units(verdict)}, and at least "
        f"{2 * verdict.horizon:,} are needed for two whose forecasts share no step."
    )


def _advice_for_now(verdict: Verdict) -> str:
    ranked = [f"{one.title} {number(one.loss)}" for one in verdict.candidates]
    means = f"The {verdict.metric} was {_listed(ranked)}, which may be chance."
    if verdict.best_baseline is None:
        return means
    title = verdict.candidate(verdict.best_baseline).title
    return f"{means} Ship {title} for now: nothing shows that another does better."


def _advice(verdict: Verdict) -> str:
    """What to ship, and the pair of network and baseline that this rests on."""
    baseline, recurrent = verdict.best_baseline, verdict.best_recurrent
    if baseline is None or recurrent is None:
        return _advice_within(verdict)
    title = verdict.candidate(baseline).title
    several = sum(one.baseline for one in verdict.candidates) > 1
    described = f"{title}, the baseline with the lowest error," if several else title
    pair = verdict.pair(recurrent, baseline)
    if verdict.recommended != baseline:
        chosen = verdict.pair(verdict.recommended, baseline)
        text = f"{_start(_beats(verdict, chosen, higher=described))}."
        if chosen is pair:
            return text
        other = verdict.candidate(recurrent).title
        return f"{text} The mean of {other} is lower still, but may be so by chance."
    if pair.told_apart:
        networks = sum(not one.baseline for one in verdict.candidates)
        rival = verdict.candidate(recurrent).title
        rival = f"{rival}, the closest of them," if networks > 1 else rival
        claim = _beats(verdict, pair, lower=title, higher=rival)
        return f"Ship {title}: no recurrent network did better. {_start(claim)}."
    shown = "could be shown to do" if pair.lower == recurrent and pair.difference else "did"
    return f"Ship {title}: no recurrent network {shown} better. {_close(verdict, pair)}"


def _advice_within(verdict: Verdict) -> str:
    """The first against the second, all networks or all baselines."""
    pair = verdict.pairs[0]
    return f"{_start(_beats(verdict, pair))}." if pair.told_apart else _close(verdict, pair)


def _neighbours(verdict: Verdict) -> str:
    """Which others of its sort the recommended one is told from, and which not."""
    chosen = verdict.candidate(verdict.recommended)
    others = [
        (other, verdict.pair(chosen.name, other.name))
        for other in verdict.candidates
        if other.baseline == chosen.baseline and other.name != chosen.name
    ]
    if verdict.best_baseline is None or verdict.best_recurrent is None:
        # The first pair was mentioned already.
        others = [(other, pair) for other, pair in others if pair is not verdict.pairs[0]]
    close = [other.title for other, pair in others if not pair.told_apart]
    if close:
        also = " either" if _said_of(verdict) else ""
        return f"{_start(chosen.title)} cannot be told from {_listed(close)}{also}."
    if others and not chosen.baseline:
        other, pair = others[0]
        size, interval = _size(verdict, pair)
        claim = f"{other.title} by {size} ({_level(verdict, interval)})"
        if len(others) == 1:
            return f"It also beats {claim}."
        return f"It also beats the other {len(others)} networks, the closest of them {claim}."
    return ""


def _said_of(verdict: Verdict) -> bool:
    """Whether the advice already says that the recommended one is not told from another."""
    if verdict.best_baseline is None or verdict.best_recurrent is None:
        return not verdict.pairs[0].told_apart
    pair = verdict.pair(verdict.best_baseline, verdict.best_recurrent)
    return verdict.recommended == verdict.best_baseline and not pair.told_apart


def _more(verdict: Verdict) -> str:
    """What it would take to see more."""
    needed = verdict.needed
    if needed is None:
        return ""
    both = [verdict.candidate(name).title for name in (needed.first, needed.second)]
    difference = f"a difference of {percent_in_words(needed.relative)} between {_listed(both)}"
    if needed.enough:
        return f"{_start(difference)} would in all likelihood have been seen."
    ways = []
    if needed.seeds is not None:
        ways.append(f"{about(needed.seeds)} seeds")
    if needed.units is not None:
        ways.append(f"{about(needed.units)} more {_independent(verdict)}")
    if not ways and needed.times is not None:
        ways.append(f"{about(needed.times)} times as many seeds and {_independent(verdict)}")
    if not ways:
        return f"More seeds and {_independent(verdict)} would hardly show {difference}."
    return f"To see {difference}, you would need {' or '.join(ways)}."


def _same_moments(verdict: Verdict) -> str:
    if verdict.unit != BY_SERIES or verdict.units < 2:
        return ""
    return (
        "The test part is short, so all of this is of further series at the same times: what other "
        "times would change for all of them is not known."
    )


def _one_seed(verdict: Verdict) -> str:
    names = verdict.seeds_unknown
    if not names:
        return ""
    titles = [verdict.candidate(name).title for name in names]
    verb = "was trained with one seed" if len(names) == 1 else "were trained with one seed each"
    return (
        f"{_start(_listed(titles))} {verb}: how much another seed would change is not known, and "
        "the intervals leave it out."
    )
