"""From a table to arrays: reading, guessing what the columns mean, splitting, scaling."""
