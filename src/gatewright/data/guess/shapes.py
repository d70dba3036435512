"""The shapes that tables come in, as far as they tell what an example is."""

SERIES = "series"  # rows in order of time, of one series or of several
LONG = "long"  # a sequence is the rows that share a name
WIDE = "wide"  # a sequence is a row
UNKNOWN = "unknown"  # sequences were asked for, and nothing tells which rows make one
