"""What is measured and what is to be reached, as data: the one place for both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gatewright import cells

FORWARD, TRAINING = "forward", "training"
REFERENCE = "reference"  # a target over the cell's own step-by-step reference
PEAK = "peak"  # a target for the share of the FMA peak


@dataclass(frozen=True)
class Shape:
    """Sizes of a case: ``time`` steps of ``batch`` rows, ``input_size`` to ``hidden_size``."""

    time: int
    batch: int
    input_size: int
    hidden_size: int

    def __str__(self) -> str:
        return f"({self.time}, {self.batch}, {self.input_size}, {self.hidden_size})"


@dataclass(frozen=True)
class Case:
    """One cell at one task. ``targets``: at least this ratio, by the name of the other side."""

    group: str
    cell: str
    work: str
    shape: Shape
    targets: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return GROUPS[self.group].format(shape=self.shape, hidden_size=self.shape.hidden_size)

    @property
    def work_title(self) -> str:
        return "training step" if self.work == TRAINING else self.work

    @property
    def label(self) -> str:
        """The case in a line."""
        return f"{self.cell}, {self.work_title}, {self.title}"


# What a group is called in tables and charts.
GROUPS = {
    "sequence": "{shape}",
    "lengths": "{shape}, lengths 1 to T",
    "one": "{shape}, one sequence",
    "step": "one step, H={hidden_size}, batch 1",
    "others": "{shape}",
}

SHAPES = (
    Shape(96, 32, 8, 64),
    Shape(100, 64, 64, 128),
    Shape(100, 32, 128, 256),
    Shape(35, 20, 650, 650),
)
TINY, MIDDLE, WIDE, WIDEST = ((shape,) for shape in SHAPES)
LENGTHS, ONE, STEP = (Shape(200, 32, 64, 128),), (Shape(200, 1, 64, 128),), (Shape(1, 1, 64, 128),)

# Group, cell, work, shapes, targets. Ratios are for two threads, float32, a core with AVX-512.
Row = tuple[str, str, str, tuple[Shape, ...], dict[str, float]]
ROWS: tuple[Row, ...] = (
    ("sequence", "rnn", FORWARD, SHAPES[:3], {"torch": 3.0}),
    ("sequence", "rnn", FORWARD, WIDEST, {"torch": 2.5}),
    ("sequence", "gru", FORWARD, SHAPES[:2], {"torch": 3.0, "jax": 3.0, "onnxruntime": 1.5}),
    ("sequence", "gru", FORWARD, WIDE, {"torch": 3.0, "jax": 3.0, "onnxruntime": 1.5, PEAK: 0.75}),
    (
        "sequence",
        "gru",
        FORWARD,
        WIDEST,
        {"torch": 2.5, "jax": 3.0, "onnxruntime": 1.5, PEAK: 0.75},
    ),
    ("sequence", "lstm", FORWARD, TINY, {"torch": 1.5, "jax": 2.0, "onnxruntime": 1.1}),
    ("sequence", "lstm", FORWARD, MIDDLE, {"torch": 1.2, "jax": 2.0, "onnxruntime": 1.1}),
    (
        "sequence",
        "lstm",
        FORWARD,
        SHAPES[2:],
        {"torch": 1.2, "jax": 2.0, "onnxruntime": 1.1, PEAK: 0.75},
    ),
    ("sequence", "rnn", TRAINING, SHAPES[:3], {"torch": 3.0, "jax": 1.5}),
    ("sequence", "rnn", TRAINING, WIDEST, {"torch": 2.5, "jax": 1.5}),
    ("sequence", "gru", TRAINING, SHAPES[:3], {"torch": 3.0, "jax": 1.5}),
    ("sequence", "gru", TRAINING, WIDEST, {"torch": 2.5, "jax": 1.5}),
    ("sequence", "lstm", TRAINING, SHAPES[:3], {"torch": 1.5, "jax": 2.0}),
    ("sequence", "lstm", TRAINING, WIDEST, {"torch": 1.0, "jax": 2.0}),
    ("lengths", "lstm", FORWARD, LENGTHS, {"torch": 4.0}),
    ("lengths", "gru", FORWARD, LENGTHS, {"torch": 4.0}),
    ("lengths", "lstm", TRAINING, LENGTHS, {"torch": 8.0}),
    ("lengths", "gru", TRAINING, LENGTHS, {"torch": 8.0}),
    ("one", "lstm", FORWARD, ONE, {"torch": 2.0}),
    ("one", "gru", FORWARD, ONE, {"torch": 8.0}),
    ("step", "lstm", FORWARD, STEP, {"torch": 3.0}),
    ("step", "gru", FORWARD, STEP, {"torch": 3.0}),
)
# The training step of every cell without a row above.
OTHERS = (MIDDLE[0], {REFERENCE: 4.0})


@dataclass(frozen=True)
class Figure:
    """A number to be kept below a bound, measured once: ``kind`` is a function of ``figures``."""

    kind: str
    title: str
    unit: str
    at_most: float
    cell: str = ""
    shape: Shape = MIDDLE[0]


FIGURES = (
    Figure("saved_for_backward", "saved for backward, per step and row", "H", 5.0, "lstm"),
    Figure("import_time", "import, added to that of torch", "s", 0.2),
)


def full() -> list[Case]:
    """Every case with its targets; a cell without a row of its own is among the others."""
    cases = [
        Case(group, cell, work, shape, targets)
        for group, cell, work, shapes, targets in ROWS
        for shape in shapes
    ]
    listed = {case.cell for case in cases}
    shape, targets = OTHERS
    cases += [
        Case("others", cell, TRAINING, shape, targets)
        for cell in cells.names()
        if cell not in listed
    ]
    order = list(GROUPS)
    return sorted(
        cases,
        key=lambda case: (order.index(case.group), case.work, _shape_number(case.shape), case.cell),
    )


def small() -> list[Case]:
    """Every cell at the first shape, both works; no targets, which hold for the full set."""
    return [
        Case("sequence", cell, work, SHAPES[0])
        for work in (FORWARD, TRAINING)
        for cell in cells.names()
    ]


def _shape_number(shape: Shape) -> int:
    return SHAPES.index(shape) if shape in SHAPES else len(SHAPES)


SETS = {"small": small, "full": full}


def choices() -> list[str]:
    """What ``--cases`` takes: a set, or groups of the full set."""
    return [*SETS, *GROUPS]


def select(
    chosen: Iterable[str], only: Iterable[str] = (), works: Iterable[str] = (FORWARD, TRAINING)
) -> list[Case]:
    """The cases of these sets and groups, for the cells ``only`` (none: every one)."""
    cases: list[Case] = []
    for name in chosen:
        add = SETS[name]() if name in SETS else [case for case in full() if case.group == name]
        cases += [case for case in add if case not in cases]
    kept, wanted = set(only), set(works)
    return [case for case in cases if case.work in wanted and (not kept or case.cell in kept)]


def figures(chosen: Iterable[str], only: Iterable[str] = ()) -> list[Figure]:
    """The figures that go with these sets; those of a cell, where that cell is wanted."""
    kept = set(only)
    if "full" not in chosen:
        return []
    return [figure for figure in FIGURES if not kept or figure.cell in kept]
