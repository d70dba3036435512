"""Write the engine's generated sources: ``python -m gatewright.compiler.emit --help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from gatewright import cells
from gatewright.compiler.kernel import unfit
from gatewright.compiler.printers import cpp


def main() -> None:
    parser = argparse.ArgumentParser(prog="gatewright.compiler.emit", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("cell", nargs="?", help="the cell whose translation unit to write")
    what.add_argument("--index", action="store_true", help="write the header that lists all cells")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    given = parser.parse_args()
    if given.index:
        text = cpp.index(map(cells.get, cells.names()))
    else:
        cell = cells.get(given.cell)
        text = cpp.source(cell)
        if reason := unfit(cell):
            print(f"{cell.name} stays on the reference: {reason}")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text)


if __name__ == "__main__":
    main()
