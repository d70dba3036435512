"""Files, flags and run folders that are wrong in ways nobody thought of.

``python tests/shared/fuzz_files.py --seconds 60`` runs one case after the other through the command
line, in this process: a small table is made, its file and the flags are damaged, and a command is
given. Every case must end in a result, or in one sentence of ours on stderr with exit code 2. A
case is named by its number: ``--case 4711`` repeats it, and says what was given. Most cases stop
where the training would begin.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import fuzz_damage
import fuzz_rules
import fuzz_tables

ENDINGS = (".csv", ".csv", ".csv", ".csv", ".tsv", ".ndjson", ".parquet", ".arrow")
SHORT = {
    "compare": [
        "--cells",
        "gru",
        "--settings",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--jobs",
        "1",
    ],
    "fit": ["--cell", "gru", "--hidden-size", "2", "--epochs", "1"],
}
LONGEST = 60  # seconds that a case may take
GOOD = ("result", "planned", "told")  # how a case may end


class Planned(BaseException):
    """Raised where the training would begin."""


@dataclass
class End:
    kind: str  # one of GOOD, or what went wrong
    text: str = ""  # the sentence, or the traceback
    given: str = ""


class Crew:
    """Fits and judges in this process, and lets nothing pass for a candidate that failed."""

    def __init__(self, folder: Path, count: int) -> None:
        from gatewright.comparison.folder import RunFolder

        self.folder = RunFolder(folder)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, jobs: Iterable[Any], hear: Any) -> None:
        from gatewright.comparison import worker

        plan, data = self.folder.plan(), self.folder.prepared()
        for job in jobs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of workers they go to a log
                if job.fits:
                    hear(job, {"score": worker.score(job, self.folder, data).model_dump()})
                else:
                    fit = worker.fit(job, plan, self.folder, data, lambda _: None)
                    hear(job, {"fit": fit.model_dump()})


class Fuzz:
    """Runs cases in a folder of its own, which is removed at the end."""

    def __init__(self, seed: int, place: Path) -> None:
        self.seed, self.place = seed, place
        self.runs: dict[str, Path] = {}

    def case(self, number: int) -> End:
        draw = random.Random(f"{self.seed}/{number}")
        kind = draw.choices(("planned", "fit", "folder", "compare"), (880, 40, 78, 2))[0]
        folder = self.place / f"case{number}"
        folder.mkdir()
        try:
            with _inside(folder):
                if kind == "folder":
                    return self._damaged_run(draw)
                return self._file(draw, kind)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _file(self, draw: random.Random, kind: str) -> End:
        """A damaged file and damaged flags, up to the training or through it."""
        path, flags = table(draw)
        command = kind if kind != "planned" else draw.choice(("compare", "compare", "fit"))
        flags = fuzz_damage.asked(draw, flags, command)
        words = [command, path.name, "--out", "run", *SHORT[command], *_words(flags)]
        # What is repeated counts twice to the command line: the later one alone is meant.
        words = _without_repeats(words)
        end = _ended(words, [path.name], train=kind != "planned")
        if kind == "fit" and end.kind == "result":
            path, _ = table(draw)
            words = ["predict", "run", path.name]
            words += _words(fuzz_damage.asked(draw, {}, "predict"))
            end = _ended(words, [path.name, "run"])
        return end

    def _damaged_run(self, draw: random.Random) -> End:
        """A finished fit or comparison with one file damaged, and then asked."""
        what = draw.choices(("fit", "compare"), (1, 2))[0]
        shutil.copytree(self._finished(what), "run", symlinks=True)
        shutil.copy(self._finished(what).parent / f"{what}.csv", "table.csv")
        happened = fuzz_damage.accident(draw, Path("run"))
        again = [what, "table.csv", "--out", "run", *SHORT[what]]
        asks = [["predict", "run"], ["predict", "run", "table.csv"], again]
        if what == "compare":
            asks += [["report", "run", "--no-open"]] * 2
        words = draw.choice(asks)
        words += _words(fuzz_damage.asked(draw, {}, words[0])) if draw.random() < 0.1 else []
        end = _ended(_without_repeats(words), ["table.csv", "run"])
        end.given += f" ({happened})"
        return end

    def _finished(self, what: str) -> Path:
        """A fit or a comparison that ended well, made once."""
        if what not in self.runs:
            folder = self.place / f"finished-{what}"
            folder.mkdir()
            rows = [f"2024-{n // 28 + 1:02}-{n % 28 + 1:02},{n % 7}" for n in range(84)]
            (folder / f"{what}.csv").write_text("\n".join(["when,sales", *rows, ""]))
            with _inside(folder):
                words = [what, f"{what}.csv", "--out", "run", *SHORT[what], "--quiet"]
                end = _ended(words, [])
            assert end.kind == "result", end
            self.runs[what] = folder / "run"
        return self.runs[what]


def table(draw: random.Random) -> tuple[Path, fuzz_tables.Flags]:
    """A file in the folder, damaged or not, and the flags that fit what it was made of."""
    frame, flags = draw.choice(fuzz_tables.SHAPES)(draw)
    if draw.random() < 0.35:
        frame = draw.choice(
            (
                fuzz_tables.odd_column, fuzz_tables.odd_column, fuzz_tables.odd_values,
                fuzz_tables.odd_values, fuzz_tables.odd_rows, fuzz_tables.only_odd_columns,
            )
        )(draw, frame)  # fmt: skip
    if draw.random() < 0.2:
        frame, renamed = fuzz_tables.odd_name(draw, frame)
        flags = {flag: renamed.get(value, value) for flag, value in flags.items()}
    ending = draw.choice(ENDINGS)
    content = fuzz_damage.damaged(draw, fuzz_tables.written(draw, frame, ending), ending)
    path = Path(f"table{ending}")
    path.write_bytes(content)
    return path, flags


def _words(flags: fuzz_tables.Flags) -> list[str]:
    return [word for flag, value in flags.items() for word in (flag, value)]


def _without_repeats(words: list[str]) -> list[str]:
    last = {word: at for at, word in enumerate(words) if word.startswith("--")}
    kept: list[str] = []
    skip = False
    for at, word in enumerate(words):
        if skip:
            skip = False
        elif last.get(word, at) != at:
            skip = True
        else:
            kept.append(word)
    return kept


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, temporary files included."""
    before, temporary = Path.cwd(), tempfile.tempdir
    (folder.parent / "temporary").mkdir(exist_ok=True)
    os.chdir(folder)
    tempfile.tempdir = str(folder.parent / "temporary")
    try:
        # torch keeps what it compiles beside other temporary files.
        with mock.patch.dict(os.environ, TORCHINDUCTOR_CACHE_DIR=str(folder.parent / "torch")):
            yield
    finally:
        os.chdir(before)
        tempfile.tempdir = temporary


def _ended(words: list[str], names: list[str], *, train: bool = True) -> End:
    """Give a command, and judge how it ends. ``names``: of the file and folder it is about."""
    before = _there()
    code: int | None = None
    problem = ""
    with _heard() as heard:
        try:
            code = _main(words, train=train)
        except Planned:
            pass
        except BaseException:  # noqa: BLE001, panics of libraries are no Exception
            problem = traceback.format_exc()
    given = " ".join(map(repr, words))
    out, err = heard()
    if problem:
        return End("raised", problem + err, given)
    if code == 2:
        wrong = fuzz_rules.told_wrongly(err, names, words)
        left = _there() - before if words[0] in ("compare", "fit") and "run" not in names else set()
        if left:
            wrong.append(f"left behind: {sorted(left)}")
        if wrong:
            return End("told wrongly", f"{'; '.join(wrong)}: {err}", given)
        return End("told", err, given)
    if code not in (None, 0):
        return End("ended", f"exit code {code}: {err}", given)
    if err:
        return End("printed", err, given)
    left = {path for path in _there() - before if path.parts[0] != "run"}
    named = {Path(word).parts[0] for flag, word in pairwise(words)
             if flag in ("-o", "--plot") and word.strip()}  # fmt: skip
    if {path.parts[0] for path in left} - named:
        return End("left files", f"{sorted(left)}", given)
    return End("planned" if code is None else "result", out, given)


def _main(words: list[str], *, train: bool) -> int:
    from gatewright import api, cli
    from gatewright.training.model import Model

    def begins(*_: Any, **__: Any) -> None:
        raise Planned

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(api, "Processes", Crew))
        if not train:
            stack.enter_context(mock.patch.object(Model, "fit", begins))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        stack.enter_context(_limited())
        return cli.main(words)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"took longer than {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _heard() -> Iterator[Any]:
    """Everything written to the two outputs, by whatever library."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept, streams = [os.dup(1), os.dup(2)], (sys.stdout, sys.stderr)
        for stream in streams:
            stream.flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
        sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8")
        found: list[str] = []
        try:
            yield lambda: found
        finally:
            sys.stdout.close()
            sys.stderr.close()
            sys.stdout, sys.stderr = streams
            for number, descriptor in enumerate(kept, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            for file in (out, err):
                file.seek(0)
                found.append(file.read().decode(errors="replace"))


def _there() -> set[Path]:
    places = (Path(), Path(tempfile.gettempdir()))
    return {path.relative_to(place) for place in places for path in place.rglob("*")}


def report(ends: dict[int, End], seconds: float) -> int:
    """Print the counts and what went wrong; gives the exit code."""
    counts = Counter(end.kind for end in ends.values())
    bad = {n: end for n, end in ends.items() if end.kind not in GOOD}
    for number, end in bad.items():
        print(f"\ncase {number}: {end.kind}\n{end.given}\n{end.text.strip()}")
    words = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    print(f"\n{len(ends):,} cases in {seconds:.0f} s: {words}; {len(bad):,} ended wrongly")
    return 1 if bad else 0


def ends_of(seed: int, numbers: range) -> Iterator[tuple[int, End]]:
    """(number, how it ended) of each case, run in a process of its own: some may take it down."""
    while numbers:
        words = ["--serve", "--seed", str(seed), "--first", str(numbers[0])]
        with subprocess.Popen(
            [sys.executable, __file__, *words, "--cases", str(len(numbers))],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    yield numbers[0], End(**json.loads(line))
                    numbers = numbers[1:]
            finally:
                process.kill()
        if numbers:
            yield numbers[0], End("died", f"the process ended with {process.returncode}")
            numbers = numbers[1:]


def serve(seed: int, numbers: range) -> None:
    """Print the ends of cases as lines of JSON."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        fuzz = Fuzz(seed, Path(place))
        for number in numbers:
            print(json.dumps(asdict(fuzz.case(number))), flush=True)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--seconds", type=float, default=float("inf"))
    asked.add_argument("--cases", type=int, default=10_000)
    asked.add_argument("--first", type=int, default=0, help="the number of the first case")
    asked.add_argument("--case", type=int, help="this one alone, and what was given")
    asked.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    numbers = range(given.first, given.first + given.cases)
    if given.case is not None:
        numbers = range(given.case, given.case + 1)
    if given.serve:
        serve(given.seed, numbers)
        return 0
    started, ends = time.monotonic(), {}
    with contextlib.closing(ends_of(given.seed, numbers)) as found:
        for number, end in found:
            ends[number] = end
            if given.case is not None:
                print(end.given, end.text, sep="\n")
            passed = time.monotonic() - started
            if len(ends) % 500 == 0:
                print(f"{len(ends):,} cases in {passed:.0f} s", flush=True)
            if passed > given.seconds:
                break
    return report(ends, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
