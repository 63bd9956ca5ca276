"""Comparisons of recall channels with each other and with well-kept libraries, by published protocols."""
