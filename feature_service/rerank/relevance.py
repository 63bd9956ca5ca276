"""How relevant rooms are beside each other: the fusion's scores on a common scale."""

import numpy as np
from numpy.typing import NDArray


def relevance(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite scores [n] scaled to 0 to 1; all 1 where they are equal."""
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))
