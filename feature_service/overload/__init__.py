"""Overload: how many requests run at once, how much is done for each of them, and who is asked to come again."""
