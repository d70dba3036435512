"""The command line. Nothing here imports torch before a command needs it.

Every error is one sentence on stderr with exit code 2, also that no network of a comparison is
left; 1 means that a benchmark refused a side, 130 that it was interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from gatewright.cli.bench import bench
from gatewright.cli.cells import cells
from gatewright.cli.common import INTERRUPTED, WRONG, UsageError
from gatewright.cli.compare import compare
from gatewright.cli.fit import fit
from gatewright.cli.predict import predict
from gatewright.cli.refit import refit
from gatewright.cli.report import report
from gatewright.cli.usage import sentence
from gatewright.errors import InputError, with_flags

__all__ = ["UsageError", "app", "main"]


def _version() -> str:
    import gatewright

    return f"gatewright {gatewright.__version__}"


app = App(
    name="gatewright",
    help="Which recurrent network your sequences need, and whether they need one.",
    version=_version,
    help_format="markdown",
)
for number, command in enumerate([compare, fit, refit, predict, report, cells, bench]):
    app.command(command, sort_key=number)  # type: ignore[call-overload]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except InputError as error:
        return _say(str(error))
    except CycloptsError as error:
        return _say(sentence(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python should not complain about that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except OSError as error:
        return _say(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("gatewright: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _say(text: str) -> int:
    print(f"gatewright: {' '.join(with_flags(text).split())}", file=sys.stderr)
    return WRONG
