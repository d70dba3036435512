"""The first cases of the fuzzer; `make fuzz` goes on from there."""

from __future__ import annotations

from collections import Counter

import pytest

import fuzz_files
import fuzz_rules

CASES = 50


@pytest.mark.slow
def test_every_end_is_a_result_or_a_sentence(tmp_path):
    fuzz = fuzz_files.Fuzz(0, tmp_path)
    ends = {number: fuzz.case(number) for number in range(CASES)}
    wrong = {n: end for n, end in ends.items() if end.kind not in fuzz_files.GOOD}
    assert not wrong
    # They are neither all refused nor all accepted.
    kinds = Counter(end.kind for end in ends.values())
    assert kinds["told"] > CASES / 5
    assert kinds["planned"] + kinds["result"] > CASES / 10


@pytest.mark.parametrize(
    ("err", "found"),
    [
        ("gatewright: t.csv, line 3: found 1 field, expected 2\n", []),
        ("gatewright: t.csv holds 1 rows\n", ["1 rows"]),
        ("gatewright: it is wrong\n", ["names neither a file nor a flag nor what was given"]),
        ("gatewright: t.csv (ComputeError: x)\n", ["holds 'Error'"]),
        ("gatewright: t.csv has columns ()\n", ["empty brackets"]),
        ("Traceback (most recent call last):\n t.csv\n", ["not one line", "holds 'Traceback'"]),
        ("gatewright: t.csv holds None\n", ["None"]),
    ],
)
def test_what_a_sentence_must_not_hold(err, found):
    assert fuzz_rules.told_wrongly(err, ["t.csv"], ["compare", "t.csv"]) == found


@pytest.mark.slow
def test_a_case_is_the_same_each_time(tmp_path):
    ends = []
    for name in "ab":
        (tmp_path / name).mkdir()
        ends.append([fuzz_files.Fuzz(0, tmp_path / name).case(number) for number in (1, 2, 3)])
    assert ends[0] == ends[1]
