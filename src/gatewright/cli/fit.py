"""``gatewright fit``: one network, without a comparison."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from rich.console import Console
from rich.text import Text

from gatewright.cli.asking import GUESSED, Metric, TableFlags, repeating
from gatewright.cli.common import (
    INTERRUPTED,
    AnyPath,
    Flag,
    MaybeWhole,
    Number,
    Whole,
    cannot_write,
    console,
    source,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gatewright.models.folder import FitRecord
    from gatewright.requests import Columns, Split
    from gatewright.training import Epoch, Recipe, Stopping

    Asked = tuple[Columns, Split, str | None]

    Begin = Callable[[FitRecord], None]
    Watch = Callable[[Epoch], None]


@Parameter(name="*", group=Group("The network and its training", sort_key=2))
@dataclasses.dataclass(frozen=True, kw_only=True)
class Choices:
    """One network.

    Parameters
    ----------
    hidden_size
        Units of each layer. Default: that of the budget.
    num_layers
        Layers.
    learning_rate
        The highest, after the warm-up.
    dropout
        The share of values that are left out while training.
    seed
        Of the first weights and the order of the data.
    epochs
        At most; without it, those of the budget.
    budget
        quick, standard or thorough: how wide and how long.
    class_weights
        Each class counts the same, however rare it is.
    truncate
        Steps after which gradients stop going further back; 0 for never.
    """

    hidden_size: MaybeWhole = None
    num_layers: Whole = 1
    learning_rate: Number = 3e-3
    dropout: Number = 0.0
    seed: Whole = 0
    epochs: MaybeWhole = None
    budget: str = "quick"
    metric: Metric = ""
    class_weights: Flag = False
    truncate: Whole = 0


def fit(
    file: AnyPath,
    /,
    *,
    cell: Annotated[str, Parameter(show_default=False)],
    table: TableFlags = GUESSED,
    choices: Choices = Choices(),
    out: AnyPath | None = None,
    quiet: Flag = False,
    json: Flag = False,
) -> int:
    """Fit one recurrent network to a file of sequences, and keep it to predict with.

    Examples:

    - `gatewright fit airline --cell gru`: then `gatewright predict runs/airline-gru`
    - `gatewright fit sales.csv --target sales --cell lstm --hidden-size 64 --num-layers 2`
    - `gatewright fit gestures.csv --target label --cell mgu --epochs 30 --out runs/gestures`

    Parameters
    ----------
    file
        CSV, TSV, NDJSON, Parquet or Arrow; or the name of a data set that comes with Gatewright.
    cell
        The name of a cell, as `gatewright cells` lists them, or of a baseline.
    out
        The folder of the fit. Default: runs/NAME-CELL.
    quiet
        Print nothing but errors.
    json
        Print one JSON object instead: what was chosen, and how it did.
    """
    asked = table.asked()
    screen = console(stderr=json)
    path = source(file, None if quiet else screen)
    folder = out or Path("runs") / f"{path.stem}-{cell}"
    command = repeating("fit", file, table, choices, cell=cell, out=out)
    try:
        with _shown(screen, path, quiet=quiet) as (begin, watch):
            record = _fitted(path, cell, folder, asked, choices, command, begin, watch)
    except KeyboardInterrupt:
        print(
            f"gatewright: interrupted; the same command goes on: {command}",
            file=sys.stderr,
        )
        return INTERRUPTED
    except OSError as error:
        raise cannot_write(error, folder) from None
    if json:
        print(record.model_dump_json(indent=2))
    elif not quiet:
        _tell(record, folder, screen)
    return 0


def _fitted(
    path: Path,
    cell: str,
    folder: Path,
    asked: Asked,
    choices: Choices,
    command: str,
    begin: Begin,
    watch: Watch,
) -> FitRecord:
    from gatewright.data.table.reading import read
    from gatewright.models.fitting import fit_into

    columns, split, delimiter = asked
    recipe, stopping = _chosen(cell, choices)
    return fit_into(
        folder,
        read(path, delimiter=delimiter, said=columns),
        columns,
        split,
        recipe,
        stopping,
        source=str(path),
        command=command,
        begin=begin,
        progress=watch,
    )


def _chosen(cell: str, choices: Choices) -> tuple[Recipe, Stopping]:
    """The network, and the length of its training."""
    from gatewright.setting import Options, Setting
    from gatewright.training import Recipe

    width, stopping = _budget(choices)
    recipe = Recipe(
        candidate=cell,
        hidden_size=choices.hidden_size or width,
        setting=Setting(
            learning_rate=choices.learning_rate,
            num_layers=choices.num_layers,
            dropout=choices.dropout,
        ),
        seed=choices.seed,
        options=Options(
            class_weights=choices.class_weights, metric=choices.metric, truncate=choices.truncate
        ),
    )
    return recipe, stopping


def _budget(choices: Choices) -> tuple[int, Stopping]:
    """The width and the length of a budget."""
    from gatewright.cli.common import among
    from gatewright.comparison.budget import BUDGETS

    among("budget", [choices.budget], list(BUDGETS))
    preset = BUDGETS[choices.budget]
    changes = {} if choices.epochs is None else {"epochs": choices.epochs}
    return preset.hidden_size, preset.stopping.model_copy(update=changes)


@contextlib.contextmanager
def _shown(screen: Console, path: Path, *, quiet: bool) -> Iterator[tuple[Begin, Watch]]:
    """What is shown of the plan and of each epoch: nothing, a line that changes, or lines."""
    if quiet:
        yield lambda record: None, lambda epoch: None
        return
    from gatewright.cli.tables import beginning

    def found(record: FitRecord) -> RenderableType:
        return beginning(record.guesses, record.notes, record.parts)

    if not screen.is_terminal or screen.is_dumb_terminal:
        yield (
            lambda record: screen.print(found(record)),
            lambda epoch: screen.print(_epoch(epoch), highlight=False, soft_wrap=True),
        )
        return
    with screen.status(Text(f"reading {path.name}"), spinner_style="cyan") as line:

        def begin(record: FitRecord) -> None:
            screen.print(found(record))
            line.update(Text(f"training {record.recipe.candidate}"))

        yield begin, lambda epoch: line.update(_epoch(epoch))


def _epoch(epoch: Epoch) -> str:
    from gatewright.wording import numbers

    return (
        f"epoch {epoch.number}: loss {numbers.number(epoch.train_loss)}, on validation "
        f"{numbers.number(epoch.validation_loss)}, {numbers.duration(epoch.seconds)}"
    )


def _tell(record: FitRecord, folder: Path, screen: Console) -> None:
    from gatewright.cli.tables import predicting
    from gatewright.wording import numbers

    words = [f"{record.parameters:,} parameters"]
    if record.epochs:
        trained = f"{numbers.counted(record.epochs, 'epoch')} in {numbers.duration(record.seconds)}"
        words.append(f"{trained}, the best was number {record.best_epoch}")
    summary = f"{record.recipe.candidate}: {', '.join(words)}"
    lines = {"Fitted": summary}
    for part, judged in (("validation", record.validation), ("test", record.test)):
        if judged is not None:
            lines[f"On {part}"] = f"{judged.metric} {numbers.number(judged.loss)}"
    if record.test is None:
        lines["On test"] = "nothing was kept back for it"
    lines |= {"Folder": str(folder), "Report": shlex.join(["gatewright", "report", str(folder)])}
    lines |= {"Predict": predicting(record.layout, folder)}
    for what, text in lines.items():
        screen.print(Text.assemble((f"{what:<15}", "dim"), text), soft_wrap=True)
