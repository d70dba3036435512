"""The parts that the networks of all tasks are made of."""
