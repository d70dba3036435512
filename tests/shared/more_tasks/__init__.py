"""Tasks that only tests know."""
