"""Print a measured bench.json as a Markdown table, and draw its PNG anew beside it.

python benchmarks/table.py runs/full/bench.json
"""

import sys
from pathlib import Path

from gatewright.bench import chart, table
from gatewright.bench.results import Results


def main(arguments: list[str]) -> int:
    """The exit code: 2 if there is no such file, or it is none of ours."""
    if len(arguments) != 1:
        print("usage: python benchmarks/table.py BENCH_JSON", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    try:
        results = Results.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    print(table.markdown(results), end="")
    chart.draw(results, path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
