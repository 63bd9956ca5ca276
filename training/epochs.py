"""Epochs: in which order slates are seen, which epoch was best, and when to stop."""

import numpy as np
from numpy.typing import NDArray

from training.trained import History


def shuffled(count: int, together: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The numbers 0 to `count` − 1 in random order, runs of `together` neighbours staying together.

    The runs begin at another place each time; what is left over, less than a run, comes last.
    """
    turned = np.roll(np.arange(count), rng.integers(count))
    whole = count - count % together
    runs = rng.permutation(turned[:whole].reshape(-1, together))
    return np.concatenate([runs.ravel(), turned[whole:]])


def best_epoch(history: History) -> int:
    """The epoch, from 1, with the lowest validation loss; the first of equals, and none that is no number if it can."""
    losses = [entry["validation_loss"] for entry in history]
    return int(np.argmin([loss if np.isfinite(loss) else np.inf for loss in losses])) + 1


def has_patience(history: History, patience: int) -> bool:
    """Whether the best epoch is less than `patience` epochs ago."""
    return not history or len(history) - best_epoch(history) < patience
