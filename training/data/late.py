"""Late labels: the fresh samples of heads whose window is not over yet, corrected for the positives still to come.

With e the time since the impression and F(e) the share of a head's positives that have come by then, the label y that
was seen so far counts as y / F(e), which is above 1 where it is positive. Its expectation is that of the whole label,
and as the cross-entropy is linear in the label, so is that of the loss and of its gradient:

    E[y] / F(e) = P(positive) · F(e) / F(e)

F is the empirical distribution of delays over the positives of samples whose window is over. It is taken as one of the
head's: that delays do not depend on the features is what this correction assumes.

References:
    Saito et al., "Dual Learning Algorithm for Delayed Conversions" (SIGIR 2020, arXiv:1910.01847): the unbiased
    estimator of the loss by inverse propensities of being observed; here of the time alone.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError
from training.data.samples import Samples
from training.heads import HEAD_NAMES, HEADS

LEAST_SHARE = 0.2
"""A sample counts from when this share of its head's positives is expected, so that no label counts for more than 5."""

LEAST_POSITIVES = 100
"""With fewer delays to learn from, a head keeps to samples whose window is over."""


def with_late_labels(samples: Samples, now_ms: int) -> Samples:
    """The samples with what was known of their labels at a time, corrected where a window was not over.

    Heads that are no probability stay masked there. Of a visit that had not ended, a long watch has not come so far.

    Args:
        samples: With `delay_s`.
        now_ms: Unix milliseconds; no later than the end of the log.

    Raises:
        DataError: The samples have no delays.
    """
    candidates = samples.candidates
    if candidates.delay_s is None:
        raise DataError("late labels: expected samples with delays, of `replay --delays`, received some without")
    elapsed_s = (now_ms - samples.slates.time_ms[candidates.slate]) / 1000
    labels, mask = candidates.labels.copy(), candidates.mask.copy()
    for column, name in enumerate(HEAD_NAMES):
        fresh = elapsed_s < HEADS[name].window_s
        delays = candidates.delay_s[mask[:, column] & ~fresh & (labels[:, column] > 0), column]
        labels[fresh, column], mask[fresh, column] = 0.0, False
        if name not in samples.layout.heads or not HEADS[name].binary or len(delays) < LEAST_POSITIVES:
            continue
        come = share_come(delays, elapsed_s)
        counts = fresh & (come >= LEAST_SHARE)
        seen = counts & (candidates.delay_s[:, column] <= elapsed_s)
        labels[seen, column] = 1 / come[seen]
        mask[counts, column] = True
    return replace(samples, candidates=replace(candidates, labels=labels, mask=mask))


def share_come(delays_s: NDArray[np.float32], elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """F(e): the share of delays, float32 [n], that are at most each elapsed time, float64 [N] → float64 [N]."""
    return np.searchsorted(np.sort(delays_s), elapsed_s, side="right") / len(delays_s)
