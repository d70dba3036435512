"""What a sentence about a mistake holds, and what it does not."""

from __future__ import annotations

import re

import fuzz_tables

# Words of libraries, which say nothing to whoever reads the sentence.
RAW = (
    "Error", "Exception", "Traceback", "pydantic", "polars", "numpy", "pyarrow", "pandas",
    "cyclopts", "torch", "ndarray", "dtype", "invalid utf-8", "validation error", "NoneType",
    "object at 0x", "panicked", "expected value at line", "unable to convert", "LazyFrame",
    "Some(", "Ok(", "Err(", "thrift", "flatbuffer", "safetensors_rust", "Expecting", "errno",
    "Invalid value", "unexpected keyword", "<class", "PyCapsule", "resolved plan", "magic number",
)  # fmt: skip
ONE_OF_MANY = re.compile(
    r"(?<![\d.,'+])1 (steps|rows|values|sequences|groups|fields|columns|lines|labels|series have|"
    r"windows|seeds|times as|parts|units|epochs|fits|examples)\b"
)


def told_wrongly(err: str, names: list[str], words: list[str]) -> list[str]:
    """What a sentence lacks; nothing of a good one."""
    found = []
    if not err.startswith("gatewright: ") or err.count("\n") != 1 or not err.endswith("\n"):
        found.append("not one line")
    own = err  # what is ours of it, without names and values
    theirs = {word for word in fuzz_tables.ODD_NAMES if not word.isalpha()} | {*words} - {*names}
    for word in sorted(theirs, key=len, reverse=True):
        if len(word) > 3 and not word.startswith("--"):
            own = own.replace(" ".join(word.split()), "")
    found += [f"holds {mark!r}" for mark in RAW if mark in own]
    parts = (part for word in words for part in (word, *word.split(",")))
    values = (repr(form) for part in parts for form in (part, part.strip()))
    if not any(name in err for name in (*names, *values)) and not re.search(r"(^| )--?[a-z]", err):
        found.append("names neither a file nor a flag nor what was given")
    if "()" in err or "( )" in own:
        found.append("empty brackets")
    if re.search(r"\bNone\b", own):
        found.append("None")
    if match := ONE_OF_MANY.search(own):
        found.append(match[0])
    return found
