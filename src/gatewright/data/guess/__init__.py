"""What the columns of a table mean, found by looking."""
