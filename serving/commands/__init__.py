"""The verbs of `python -m serving`, one a file."""
