"""``gatewright report``: the report of a run, written anew and opened."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from gatewright.cli.common import AnyPath, cannot_write


def report(
    run: AnyPath,
    /,
    *,
    open_it: Annotated[bool, Parameter(name="--open", negative="--no-open")] = True,
) -> int:
    """Write the report of a finished comparison or fit anew, and open it in the browser.

    Examples:

    - `gatewright report runs/airline`
    - `gatewright report runs/airline-gru`: of one fit
    - `gatewright report runs/airline --no-open`: only writes it and prints its path

    Parameters
    ----------
    run
        The folder that `gatewright compare`, `gatewright refit` or `gatewright fit` wrote.
    open_it
        Open it in the browser.
    """
    from gatewright import report as reports
    from gatewright.comparison.folder import RunFolder
    from gatewright.models.folder import holds_fit

    try:
        path = reports.write_fit(run) if holds_fit(run) else reports.write(RunFolder(run))
    except OSError as error:
        raise cannot_write(error, run) from None
    print(path)
    if open_it:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
