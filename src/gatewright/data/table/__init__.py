"""A file or a data frame as a table of named columns."""
