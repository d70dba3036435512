"""The benchmark: who may be timed, in which order, and what is kept and shown. Nothing is timed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from rich.console import Console

from gatewright import cells
from gatewright.bench import cases, chart, figures, peers, table
from gatewright.bench.cases import FORWARD, PEAK, TRAINING, Case, Shape
from gatewright.bench.checking import judge
from gatewright.bench.measuring import Pace, measure
from gatewright.bench.problem import layer_side, make_layer, pose, references
from gatewright.bench.results import Machine, Measurement, Results, Timing, Value
from gatewright.bench.running import Schedule, compare, run

SHAPE = Shape(6, 3, 4, 5)
PACE = Pace(budget=0.0, sample=1e-5, pause=0.002, fewest=2, most=2)
TORCH = [peers.PEERS["torch"]]
WORKS = (FORWARD, TRAINING)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """A run sets these for jax; they are put back afterwards."""
    for name in ("NPROC", "XLA_FLAGS", "JAX_PLATFORMS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def plan(*found, **further):
    return Schedule(cases=found, peers=TORCH, threads=1, pace=PACE, **further)


class Wrong:
    """A layer whose output is off in one number."""

    def __new__(cls, *arguments, backend=None):
        layer = make_layer(*arguments, backend=backend)
        if backend is None:
            layer.register_forward_hook(cls.spoil)
        return layer

    @staticmethod
    def spoil(module, given, result):
        output, state = result
        return output + 1e-3 * torch.eye(output.shape[-1])[0], state


# What is measured -----------------------------------------------------------------------------


def test_full_set_has_every_case_once_and_small_every_cell():
    full = cases.full()
    assert len({(c.group, c.cell, c.work, c.shape) for c in full}) == len(full)
    assert {case.cell for case in full} == set(cells.names())
    assert {(case.cell, case.work) for case in cases.small()} == {
        (name, work) for name in cells.names() for work in WORKS
    }
    assert all(case.targets for case in full)


@pytest.mark.parametrize(
    ("group", "cell", "work", "hidden_size", "targets"),
    [
        ("sequence", "gru", FORWARD, 64, {"torch": 3, "onnxruntime": 1.5, "jax": 3}),
        ("sequence", "gru", FORWARD, 650, {"torch": 2.5, "onnxruntime": 1.5, "jax": 3, PEAK: 0.75}),
        ("sequence", "rnn", TRAINING, 650, {"torch": 2.5, "jax": 1.5}),
        ("sequence", "lstm", FORWARD, 64, {"torch": 1.5, "onnxruntime": 1.1, "jax": 2}),
        (
            "sequence",
            "lstm",
            FORWARD,
            256,
            {"torch": 1.2, "onnxruntime": 1.1, "jax": 2, PEAK: 0.75},
        ),
        ("sequence", "lstm", TRAINING, 256, {"torch": 1.5, "jax": 2}),
        ("sequence", "lstm", TRAINING, 650, {"torch": 1.0, "jax": 2}),
        ("lengths", "gru", TRAINING, 128, {"torch": 8}),
        ("one", "lstm", FORWARD, 128, {"torch": 2}),
        ("step", "gru", FORWARD, 128, {"torch": 3}),
        ("others", "mgu", TRAINING, 128, {"reference": 4}),
    ],
)
def test_targets(group, cell, work, hidden_size, targets):
    (case,) = [
        case
        for case in cases.full()
        if (case.group, case.cell, case.work, case.shape.hidden_size)
        == (group, cell, work, hidden_size)
    ]
    assert case.targets == targets


def test_select_by_group_cell_and_work():
    found = cases.select(["lengths", "step"], ["gru"], [FORWARD])
    assert [(case.group, case.cell, case.work) for case in found] == [
        ("lengths", "gru", FORWARD),
        ("step", "gru", FORWARD),
    ]
    assert cases.select(["full", "step"]) == cases.select(["full"])
    assert [figure.kind for figure in cases.figures(["full"])] == list(figures.KINDS)
    assert cases.figures(["small"]) == []


def test_operations_count_the_products():
    shape = Shape(7, 3, 5, 11)
    forward, _ = pose(Case("sequence", "gru", FORWARD, shape))
    training, _ = pose(Case("sequence", "gru", TRAINING, shape))
    assert forward.operations == 2 * 7 * 3 * 11 * (3 * 5 + 3 * 11)
    assert training.operations == 3 * forward.operations
    no_recurrent, _ = pose(Case("sequence", "mingru", FORWARD, shape))
    assert no_recurrent.operations == 2 * 7 * 3 * 11 * 2 * 5
    ragged, _ = pose(Case("lengths", "gru", FORWARD, shape))
    assert ragged.operations == 2 * int(ragged.lengths.sum()) * 11 * (3 * 5 + 3 * 11)
    assert all(1 <= length <= 7 for length in ragged.lengths)


# How it is measured ---------------------------------------------------------------------------


def test_sides_run_in_turns_and_equally_often():
    calls: list[str] = []
    sides = {name: lambda name=name: calls.append(name) for name in "abc"}
    found = measure(sides, Pace(budget=0, sample=0, pause=0.002, fewest=4, most=4))
    assert {
        name: (timing.rounds, timing.repeats) for name, timing in found.items()
    } == dict.fromkeys("abc", (4, 1))
    # A call that wakes the threads and one that is timed, A B C four times over.
    assert calls[-24:] == list("aabbcc") * 4
    assert all(timing.least <= timing.median <= timing.most for timing in found.values())


def test_nobody_to_time():
    assert measure({}, PACE) == {}


def test_threads_are_put_back():
    before = torch.get_num_threads()
    run(plan())
    assert torch.get_num_threads() == before
    assert os.environ["NPROC"] == "1"
    assert "multi_thread_eigen=false" in os.environ["XLA_FLAGS"]


# Who may be timed -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_is_timed(cell, work):
    found = compare(Case("sequence", cell, work, SHAPE), plan())
    assert found.refused == {}
    assert set(found.timings) == {"gatewright", "torch" if cell in peers.TORCH else "reference"}


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("group", "work"),
    [("lengths", FORWARD), ("lengths", TRAINING), ("one", FORWARD), ("step", FORWARD)],
)
def test_every_group_is_timed(group, cell, work):
    found = compare(Case(group, cell, work, Shape(9, 1 if group != "lengths" else 4, 4, 5)), plan())
    assert found.refused == {}
    assert set(found.timings) == {"gatewright", "torch"}


@pytest.mark.parametrize("work", WORKS)
def test_a_wrong_layer_gets_no_speed(work):
    found = compare(Case("sequence", "lstm", work, SHAPE), plan(), Wrong)
    assert found.timings == {}
    assert found.gflops is None
    assert "output is off by" in found.refused["gatewright"]


def test_a_layer_that_fails_gets_no_speed():
    def make(*arguments, backend=None):
        layer = make_layer(*arguments, backend=backend)
        if backend is None:
            layer.register_forward_pre_hook(lambda *_: 1 / 0)
        return layer

    found = compare(Case("sequence", "lstm", FORWARD, SHAPE), plan(), make)
    assert found.timings == {}
    assert "ZeroDivisionError" in found.refused["gatewright"]


def test_a_wrong_peer_gets_no_speed_and_the_others_do():
    def side(problem, threads):
        found = peers.PEERS["torch"].side(problem, threads)
        given = found.results()
        found.results = lambda: {name: value * 1.001 for name, value in given.items()}
        return found

    chosen = [*TORCH, peers.Peer("other", (), side)]
    found = compare(Case("sequence", "gru", TRAINING, SHAPE), Schedule([], chosen, 1, pace=PACE))
    assert set(found.timings) == {"gatewright", "torch"}
    assert set(found.refused) == {"other"}


@pytest.mark.parametrize("cell", ["lstm", "indrnn"])
def test_every_gradient_is_checked(cell):
    problem, layer = pose(Case("sequence", cell, TRAINING, SHAPE))
    reference, truth = references(problem)
    rounded, exact = reference.results(), truth.results()
    given = layer_side("gatewright", problem, layer).results()
    assert set(given) == {"output", "gradient of x", *(f"gradient of {n}" for n in problem.weights)}
    assert judge(problem, given, rounded, exact) is None
    for name in given:
        for spoilt in (given[name] * 1.1, given[name] * float("nan"), given[name][..., :-1]):
            assert name in judge(problem, {**given, name: spoilt}, rounded, exact)
        assert name in judge(problem, {k: v for k, v in given.items() if k != name}, rounded, exact)


OTHER_LIBRARIES = """
import torch
from gatewright import cells
from gatewright.bench import peers
from gatewright.bench.cases import FORWARD, TRAINING, Case, Shape
from gatewright.bench.checking import judge
from gatewright.bench.problem import pose, references

peers.share_threads(1)
for cell in cells.names():
    for work in (FORWARD, TRAINING):
        problem, _ = pose(Case("sequence", cell, work, Shape(6, 3, 4, 5)))
        rounded, exact = (side.results() for side in references(problem))
        for name in {names!r}:
            side = peers.PEERS[name].side(problem, 1)
            # jax's training step has the output too.
            if side is not None and not (name == "jax" and work == FORWARD):
                side.work()
                print(name, cell, work, judge(problem, side.results(), rounded, exact))
"""


def test_other_libraries_compute_the_same():
    """In a process of its own: these libraries start threads, and other tests fork."""
    names = [name for name in ("jax", "onnxruntime") if not peers.PEERS[name].missing]
    if not names:
        pytest.skip("neither jax nor onnxruntime is installed")
    program = OTHER_LIBRARIES.replace("{names!r}", repr(names))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.endswith(" None")] == []
    count = Counter(line.split()[0] for line in lines)
    assert count == {
        name: {"jax": len(cells.names()), "onnxruntime": len(peers.TORCH)}[name] for name in names
    }


def test_choosing_peers(monkeypatch):
    assert [peer.name for peer in peers.choose(["torch", "torch"])] == ["torch"]
    assert "torch" in [peer.name for peer in peers.choose([])]
    with pytest.raises(ValueError, match="'torhc': did you mean 'torch'"):
        peers.choose(["torhc"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs jax and jaxlib, not installed"):
        peers.choose(["jax"])


# Figures --------------------------------------------------------------------------------------


def test_saved_for_backward_counts_what_grows_with_time():
    class Layer(torch.nn.Linear):
        def forward(self, x):
            gate = super().forward(x).sigmoid()  # keeps x, which is the caller's, and the gate
            return gate.tanh(), None  # keeps the output, which is the caller's

    figure = cases.Figure("saved_for_backward", "kept", "H", 5.0, "lstm", Shape(5, 3, 4, 8))
    value = figures.saved_for_backward(figure, lambda cell, *sizes: Layer(*sizes))
    assert value.value == 1.0
    assert value.reached
    assert value.note.startswith("torch.nn: ")


@pytest.mark.slow
def test_import_time_names_what_torch_takes(monkeypatch):
    monkeypatch.setattr(figures, "ROUNDS", 1)
    value = figures.import_time(cases.FIGURES[1], make_layer)
    assert value.value > 0
    assert value.note.startswith("torch alone: ")


# What is kept and shown -----------------------------------------------------------------------


@pytest.fixture
def results():
    def timing(milliseconds):
        return Timing(milliseconds * 0.9, milliseconds, milliseconds * 1.5, 9, 3)

    case = Case("sequence", "gru", FORWARD, SHAPE, {"torch": 3.0, "jax": 3.0, PEAK: 0.75})
    timings = {"gatewright": timing(2.0), "torch": timing(7.0), "jax": timing(5.0)}
    other = Case("others", "mgu", TRAINING, SHAPE, {"reference": 4.0})
    return Results(
        Machine("A processor", 2, 2, "avx512", "Linux", 100.0, {"torch": "2", "gatewright": "1"}),
        "2025-01-01T00:00:00+00:00",
        [
            Measurement(case, 160_000_000, "native avx512", timings),
            Measurement(
                other, 10**6, "native avx512", {"gatewright": timing(1), "reference": timing(9)}
            ),
            Measurement(
                Case("sequence", "lstm", FORWARD, SHAPE, {"torch": 1.5}),
                10**6,
                "reference (no engine)",
                refused={"gatewright": "its output is off"},
            ),
        ],
        [Value("kept", 6.0, "H", 5.0, "torch.nn: 15 H")],
        True,
    )


def test_json_holds_everything_and_comes_back(results, tmp_path):
    path = tmp_path / "deep" / "bench.json"
    results.write(path)
    assert Results.from_json(path.read_text()) == results
    assert list(path.parent.iterdir()) == [path]
    first = json.loads(path.read_text())["measurements"][0]
    assert first["ratios"] == {"torch": 3.5, "jax": 2.5, "reference": None}
    assert first["reached"] == {"torch": True, "jax": False, PEAK: True}
    assert first["gflops"] == pytest.approx(80.0)
    assert set(first["timings"]["torch"]) == {"least", "median", "most", "rounds", "repeats"}
    with pytest.raises(ValueError, match="not a benchmark file of format"):
        Results.from_json('{"format": 0}')


def test_table_shows_speeds_targets_and_refusals(results):
    console = Console(width=160, record=True, quiet=False, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        table.show(results, console)
    text = console.export_text()
    for part in (
        "3.50 ≥ 3.00",
        "2.50 < 3.00",
        "80% ≥ 75%",
        "9.00 ≥ 4.00",
        "refused",
        "FMA peak 100 GFLOP/s",
        "Without the compiled engine, reference (no engine): lstm",
        "kept: 6.00 H, at most 5 H: missed (torch.nn: 15 H)",
        "Targets: 3 reached, 2 missed, 1 not measured",
    ):
        assert part in text
    lines = table.markdown(results).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert "3.50 ≥ 3.00" in lines[2]


def test_picture(results, tmp_path):
    pytest.importorskip("matplotlib")
    assert [(p.title, len(p.measurements)) for p in chart.panels(results)] == [
        ("Forward, beside torch.nn", 1),
        ("Training step, beside its own reference", 1),
    ]
    path = tmp_path / "bench.png"
    assert chart.draw(results, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    results.measurements.clear()
    assert not chart.draw(results, Path(tmp_path / "none.png"))


@pytest.mark.slow
def test_an_interrupted_run_keeps_what_it_has():
    asked: list[str] = []

    def tell(text):
        asked.append(text)
        if len(asked) == 2:
            raise KeyboardInterrupt

    two = [Case("sequence", cell, FORWARD, SHAPE) for cell in ("rnn", "gru")]
    results = run(plan(*two), tell)
    assert [found.case.cell for found in results.measurements] == ["rnn"]
    assert not results.complete
    assert run(plan(two[0])).complete
