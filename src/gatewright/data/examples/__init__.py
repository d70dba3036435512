"""What one example of a task is: a window of a series, a whole sequence, its every step."""
