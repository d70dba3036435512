"""Errors in what a person gave, each explained in one sentence."""

from __future__ import annotations


class InputError(ValueError):
    """What was given cannot be used.

    The text is one sentence: it names the file, row, column, argument or shape, says what was
    expected, and what to do. The command line prints it and ends with exit code 2.
    """
