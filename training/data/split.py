"""The time split: training, validation and test, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError
from training.data.late import with_late_labels
from training.data.samples import Samples
from training.heads import HEADS

FRACTIONS = (0.7, 0.1, 0.2)
"""Of the slates, in order of time."""

LONGEST_WINDOW_MS = max(head.window_s for head in HEADS.values()) * 1000

_WINDOWS_MS = np.array([head.window_s * 1000 for head in HEADS.values()], np.int64)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """When the parts meet, Unix milliseconds; each belongs to the later part."""

    validation_ms: int
    test_ms: int


@dataclass(frozen=True, slots=True)
class Split:
    """Samples in three parts; every slate is in one of them."""

    training: Samples
    validation: Samples
    test: Samples


def boundaries(samples: Samples, fractions: Sequence[float] = FRACTIONS) -> Boundaries:
    """The boundaries that give each part about its fraction of the slates.

    Args:
        samples: Ordered by time.
        fractions: Training, validation and test, each above 0, together 1.

    Raises:
        DataError: The fractions are no such numbers, or there is no slate.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DataError(f"fractions: expected three numbers above 0 that add up to 1, received {tuple(fractions)}")
    times_ms = samples.slates.time_ms
    if not len(times_ms):
        raise DataError("samples: expected at least one slate to split, received none")
    training, validation, _ = fractions
    places = [round(len(times_ms) * share) for share in (training, training + validation)]
    return Boundaries(*(int(times_ms[min(place, len(times_ms) - 1)]) for place in places))


def split(samples: Samples, at: Boundaries, *, late_labels: bool = False) -> Split:
    """Splits samples by the time of their slates.

    Features are point-in-time by construction. Labels look ahead: one whose window reaches beyond the end of training
    or validation was not known then, and is masked there.

    Args:
        samples: Ordered by time.
        at: When the parts meet.
        late_labels: Whether training has these labels all the same, corrected; see `training.data.late`.

    Raises:
        DataError: A part has no slate, or late labels are wanted of samples without delays.
    """
    first_ms, last_ms = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    known = with_late_labels if late_labels else known_at
    parts = Split(
        training=known(samples.between(first_ms, at.validation_ms), at.validation_ms),
        validation=known_at(samples.between(at.validation_ms, at.test_ms), at.test_ms),
        test=samples.between(at.test_ms, last_ms),
    )
    for name in Split.__slots__:
        if not len(getattr(parts, name).slates.user):
            raise DataError(
                f"{name}: expected at least one slate, received none between the boundaries "
                f"{at.validation_ms} and {at.test_ms} (the slates are from {_span(samples)})"
            )
    return parts


def known_at(samples: Samples, now_ms: int) -> Samples:
    """The samples with the labels masked that were not decided yet at a time."""
    return _with_labels(samples, _decided_ms(samples) <= now_ms)


def decided_between(samples: Samples, from_ms: int, until_ms: int) -> Samples:
    """The samples of which a label was decided after the one time and until the other, with just those labels.

    Who learns from one such stretch after the other learns from every label once.
    """
    decided_ms = _decided_ms(samples)
    found = _with_labels(samples, (from_ms < decided_ms) & (decided_ms <= until_ms))
    keep = np.zeros(len(samples.slates.user), np.bool_)
    keep[found.candidates.slate[found.candidates.mask.any(axis=1)]] = True
    return found.of_slates(keep)


def _decided_ms(samples: Samples) -> NDArray[np.int64]:
    """When each label is decided, int64 [N, heads]: at the end of its window."""
    return samples.slates.time_ms[samples.candidates.slate][:, None] + _WINDOWS_MS


def _with_labels(samples: Samples, keep: NDArray[np.bool_]) -> Samples:
    """The samples with the labels for which `keep`, bool [N, heads], holds."""
    candidates = samples.candidates
    mask = candidates.mask & keep
    labels = np.where(mask, candidates.labels, np.float32(0))
    return replace(samples, candidates=replace(candidates, labels=labels, mask=mask))


def _span(samples: Samples) -> str:
    times_ms = samples.slates.time_ms
    return f"{times_ms[0]} to {times_ms[-1]}" if len(times_ms) else "no time: there are none"
