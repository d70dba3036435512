"""From a table to the arrays that models are trained on."""
