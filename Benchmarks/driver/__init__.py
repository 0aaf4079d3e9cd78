"""Runs the rows, in rounds, and tells how they came out."""
