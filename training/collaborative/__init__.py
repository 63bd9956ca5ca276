"""Collaborative filtering: who watched whom, and what is solved from it."""
