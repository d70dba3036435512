"""What a cell is printed as, one file a target: C++ for the engine, text and LaTeX for people."""
