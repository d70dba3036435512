"""The verdict in plain English: one paragraph, each claim with its interval.

It says what to ship, what that rests on, who was not told from whom, what would have been seen, and
what the intervals leave out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewright.comparison.records import Plan, Row
from gatewright.comparison.statistics import LEAST_STRETCHES
from gatewright.comparison.verdict import BY_SERIES, SHOWN, Pair, Placing, Verdict
from gatewright.errors import argument
from gatewright.wording.numbers import (
    about,
    counted_in_words,
    interval,
    number,
    percent_in_words,
    several,
    share_interval_in_words,
    spelled,
)

FEW = 10  # stretches, groups or sequences


def paragraph(verdict: Verdict) -> str:
    """The text of ``verdict``: between one and about eight sentences."""
    if len(verdict.candidates) == 1:
        sentences = [_alone(verdict)]
    elif not verdict.comparable:
        sentences = [_too_short(verdict), _advice_for_now(verdict)]
    elif verdict.best_recurrent is None:
        sentences = [_baselines_only(verdict)]
    else:
        sentences = [_advice(verdict), _lower_still(verdict), *_among_networks(verdict)]
        sentences += [_seen(verdict), _few(verdict), _left_out_of_intervals(verdict)]
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


def _units(verdict: Verdict) -> str:
    """As "400 test sequences in 12 groups" or "200 forecast origins"."""
    groups = f" in {counted_in_words(verdict.groups, 'group')}" if verdict.groups else ""
    return f"{counted_in_words(verdict.units, verdict.unit)}{groups}"


def _level(confidence: float, together: int, what: str) -> str:
    """As "90%, for all three networks together"."""
    both = "both" if together == 2 else f"all {spelled(together)}"
    family = f", for {both} {several(what)} together" if together > 1 else ""
    return f"{100 * confidence:g}%{family}"


def _seeds(candidates: Sequence[Placing]) -> str:
    counts = sorted({one.seeds for one in candidates})
    return " and ".join(counted_in_words(count, "seed") for count in counts)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _where(verdict: Verdict, pair: Pair, how: str = "lies") -> str:
    """As "GRU's error rate lies between 4% higher and 8% lower than ridge's"."""
    one, other = verdict.candidate(pair.candidate), verdict.candidate(pair.other)
    subject = f"{one.title}'s {verdict.metric}"
    if pair.interval is None:
        return (
            f"{subject} is {number(one.loss, 3)} and {other.title}'s {number(other.loss, 3)}, with "
            f"too few {_independent(verdict)} to say how far they may be from each other"
        )
    if pair.interval == (0, 0):
        return f"{subject} is the same as {other.title}'s"
    share = pair.relative_interval
    if share is None or max(map(abs, share)) > 0.995:
        # What is so far off is no percentage that says anything.
        ends = sorted(other.loss - end for end in pair.interval)
        if min(one.loss, other.loss) >= 0:
            ends = [max(0.0, end) for end in ends]
        reach = interval(ends[0], ends[1])
        reach = f"between {reach.replace(' to ', ' and ')}" if " to " in reach else f"at {reach}"
        return f"{subject} {how} {reach}, where {other.title}'s is {number(other.loss, 3)}"
    return f"{subject} {how} {share_interval_in_words(*share)} than {other.title}'s"


def _independent(verdict: Verdict) -> str:
    """What there may be too few of, as "stretches of the horizon" or "groups"."""
    if verdict.groups is not None:
        return "groups"
    return "stretches of the horizon" if verdict.overlapping else several(verdict.unit)


# Sentences


def _alone(verdict: Verdict) -> str:
    only = verdict.candidates[0]
    ends = interval(*(only.interval or (None, None)))
    level = f"{100 * verdict.confidence:g}% interval"
    return (
        f"{_start(only.title)} is the only candidate: its {verdict.metric} is {number(only.loss)} "
        f"({f'{level} {ends}' if ends else f'no finite {level}'}; {_units(verdict)}). There is "
        "nothing to compare it with, so no advice follows."
    )


def _too_short(verdict: Verdict) -> str:
    text = f"The test part is too short to say anything: it holds {_units(verdict)}"
    if not verdict.overlapping:
        return f"{text}."
    return (
        f"{text}, and at least {max(LEAST_STRETCHES * verdict.horizon, 4):,} are needed for "
        f"{spelled(LEAST_STRETCHES)} whose forecasts share no step."
    )


def _means(verdict: Verdict) -> str:
    ranked = [f"{one.title} {number(one.loss)}" for one in verdict.candidates]
    return f"The {verdict.metric} was {_listed(ranked)}"


def _advice_for_now(verdict: Verdict) -> str:
    means = f"{_means(verdict)}, which may be chance."
    if verdict.best_baseline is None:
        return means
    title = verdict.candidate(verdict.best_baseline).title
    return f"{means} Ship {title} for now: nothing shows that another does better."


def _baselines_only(verdict: Verdict) -> str:
    return f"{_means(verdict)}; baselines are not tested. No recurrent network was compared."


def _advice(verdict: Verdict) -> str:
    """What to ship, and the pair of network and baseline that this rests on."""
    if verdict.best_baseline is None or verdict.best_recurrent is None:
        return (
            f"{_start(verdict.candidate(verdict.best).title)} has the lowest {verdict.metric}. No "
            "baseline was run, so nothing here says whether a recurrent network is needed."
        )
    chosen, baseline = (
        verdict.candidate(name).title for name in (verdict.recommended, verdict.best_baseline)
    )
    networks = len(verdict.against_baseline)
    level = _level(verdict.confidence, networks, "network")
    better = [pair for pair in verdict.against_baseline if pair.better]
    if not better:
        pair = verdict.against_baseline[0]
        shown = f"{_start(verdict.candidate(pair.candidate).title)} was not"
        if networks > 1:
            shown = "No network was"
        if verdict.candidate(verdict.best_baseline).loss == 0 and pair.difference == 0:
            nothing = f"{_start(chosen)}'s {verdict.metric} is 0, and nothing is below that."
            return f"Ship {chosen}. {nothing}"
        return (
            f"Ship {chosen}. {shown} shown to be better: {_where(verdict, pair)} "
            f"({level}; {_units(verdict)})."
        )
    pair = next(pair for pair in better if pair.candidate == verdict.recommended)
    several_baselines = sum(one.baseline for one in verdict.candidates) > 1
    best = ", the best baseline" if several_baselines else ""
    text = (
        f"Ship {chosen}. It was shown to be better than {baseline}{best}: "
        f"{_where(verdict, pair)} ({level}; {_units(verdict)})."
    )
    others = [verdict.candidate(one.candidate).title for one in better if one is not pair]
    verb = "was" if len(others) == 1 else "were"
    return f"{text} So {verb} {_listed(others)}." if others else text


def _lower_still(verdict: Verdict) -> str:
    """Of a network with a lower mean than the one to ship."""
    best, chosen = verdict.candidate(verdict.best), verdict.candidate(verdict.recommended)
    if best.baseline or chosen.baseline or best is chosen:
        return ""
    return f"The mean of {best.title} is lower still, but may be so by chance."


def _among_networks(verdict: Verdict) -> list[str]:
    """Which other networks the recommended one is told from, and which not."""
    chosen = verdict.recommended
    mine = [pair for pair in verdict.among_networks if chosen in (pair.candidate, pair.other)]
    if not mine:
        return []
    level = _level(1 - verdict.level, len(verdict.among_networks), "pair")
    title = verdict.candidate(chosen).title
    seeds = _seeds([one for one in verdict.candidates if one.name in _names(mine)])
    if verdict.best_baseline is None:  # else the first question has told on what it rests
        seeds = f"{seeds}, {_units(verdict)}"
    close, told = ([pair for pair in mine if pair.told_apart == apart] for apart in (False, True))
    sentences = []
    if close:
        others = [verdict.candidate(name).title for name in _names(close) if name != chosen]
        sentences.append(
            f"Trained anew with one seed, {title} may be no better than {_listed(others)}: "
            f"{_where(verdict, close[0], 'would lie')} ({level}; {seeds})."
        )
    if told:
        others = [verdict.candidate(name).title for name in _names(told) if name != chosen]
        basis = "" if close else f" ({level}; {seeds})"
        sentences.append(
            f"It was told from {_listed(others)}: {_where(verdict, told[0], 'would lie')}{basis}."
        )
    return sentences


def _names(pairs: Sequence[Pair]) -> list[str]:
    """Those of some pairs, in their order."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.candidate, pair.other)))


def _open(verdict: Verdict) -> Pair | None:
    """The pair that the advice leaves open: the closest to the recommended one."""
    pairs = verdict.among_networks
    if verdict.recommended == verdict.best_baseline:
        pairs = verdict.against_baseline
    mine = [pair for pair in pairs if verdict.recommended in (pair.candidate, pair.other)]
    return next((pair for pair in mine if not pair.told_apart), None)


def _seen(verdict: Verdict) -> str:
    """The least difference that would have been seen, and what it takes to see 5%."""
    pair = _open(verdict)
    if pair is None or pair.visible is None:
        return ""
    loss = verdict.candidate(pair.other).loss
    if loss <= 0:
        return f"A difference above {number(pair.visible, 2)} would have been seen."
    share = pair.visible / loss
    if share >= 0.995:
        text = "The test part is too small to tell even one without error from it."
    else:
        text = f"A difference above {percent_in_words(share)} would have been seen."
    ways = [f"{about(pair.units)} {several(verdict.unit)}"] if pair.units else []
    if verdict.groups is not None and pair.units:
        ways = [f"{about(pair.units)} groups"]
    if pair.seeds:
        ways.append(f"{about(pair.seeds)} seeds")
    wanted = percent_in_words(SHOWN)
    return f"{text} To see {wanted} would take {' or '.join(ways)}." if ways else text


def _few(verdict: Verdict) -> str:
    if verdict.independent >= FEW:
        return ""
    return (
        f"All of this rests on {verdict.independent} {_independent(verdict)}: with fewer than "
        f"{spelled(FEW)}, take it with care."
    )


def _left_out_of_intervals(verdict: Verdict) -> str:
    return (
        "The intervals leave out what another split of the data and another round of tuning would "
        "change."
    )


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
    return f"{_start(_listed(titles))} {verb}: how much another would change is not known."
