"""How the package words what it found, the same wherever it is read."""
