"""What is to be told of an example, and how it stands in a table: numbers, classes."""
