"""Layers: the maths that models wire together."""
