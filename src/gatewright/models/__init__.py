"""A fitted model: its files and folder, predicting, judging on a part of the split, one fit."""
