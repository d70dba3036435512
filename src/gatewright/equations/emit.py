"""Write the engine's generated sources: ``python -m gatewright.equations.emit --help``."""

from __future__ import annotations

import argparse
from pathlib import Path

from gatewright import cells
from gatewright.equations import cpp


def main() -> None:
    parser = argparse.ArgumentParser(prog="gatewright.equations.emit", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("cell", nargs="?", help="the cell whose translation unit to write")
    what.add_argument("--index", action="store_true", help="write the header that lists all cells")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    given = parser.parse_args()
    text = cpp.index(list(cells.names())) if given.index else cpp.source(cells.get(given.cell))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text)


if __name__ == "__main__":
    main()
