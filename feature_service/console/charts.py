"""Charts as numbers for SVG: points of lines, heights of bars. No Flask, no I/O."""

from collections.abc import Sequence

WIDTH, HEIGHT = 120, 28
"""Of a sparkline; its strokes stay within."""

_MARGIN = 2


def line(values: Sequence[float], *, from_zero: bool = True) -> str:
    """The points of a sparkline, evenly spaced and newest at the right edge; empty for fewer than two values.

    Args:
        values: Oldest first.
        from_zero: Whether the lower edge is 0, else the least value.
    """
    if len(values) < 2:
        return ""
    low = min(0.0, *values) if from_zero else min(values)
    span = max(values) - low or 1.0
    step = (WIDTH - 2 * _MARGIN) / (len(values) - 1)
    tall = HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{_MARGIN + i * step:.1f},{HEIGHT - _MARGIN - (value - low) / span * tall:.1f}"
        for i, value in enumerate(values)
    )


def shares(values: Sequence[float]) -> list[float]:
    """Each value as a share of the greatest one, 0 to 1."""
    greatest = max(values, default=0.0)
    return [value / greatest if greatest > 0 else 0.0 for value in values]
