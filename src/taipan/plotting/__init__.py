"""Figures: each is a pure function of numbers that are written beside it."""
