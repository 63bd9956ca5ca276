"""Drift: how the values that were served differ between two windows of time, feature by feature.

Numbers: the population stability index over the deciles of the first window,

    PSI = Σ_b (q_b − p_b) · ln(q_b / p_b)

with p_b and q_b the shares of the two windows in bin b; below 0.1 little has changed, above 0.25 much has. Ids: the
share of those in the second window that the first one does not have, which are rows that a model has not learnt.

References:
    Siddiqi, "Credit Risk Scorecards" (Wiley 2006), chapter 9: the index and its usual bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from feature_service.served.slate import ServedSlate
from training.data.samples import Samples

MAX_SLATES = 4_096
"""Slates that are kept, some 60 MB; of more, every second, fourth and so on."""

_DECILES = np.arange(0.1, 1.0, 0.1)


class Window(NamedTuple):
    """A stretch of time, Unix milliseconds: from `start_ms` until before `stop_ms`."""

    start_ms: int
    stop_ms: int


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature's drift.

    Attributes:
        spec: The feature, `name@version:dtype:width`.
        measure: `psi`, or `unseen` of ids.
        drift: The measure's value; of a feature of several numbers, the greatest of them.
        stuck: Whether one of its numbers is the same everywhere in the second window, and was another for most of the
            first.
    """

    spec: str
    measure: str
    drift: float
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of all features.

    Attributes:
        windows: The two windows.
        slates: How many slates of each were looked at.
        features: Most drifted first; none where a window has no slate.
    """

    windows: tuple[Window, Window]
    slates: tuple[int, int]
    features: tuple[FeatureDrift, ...]


class KeptSlates:
    """A bounded selection of slates, spread evenly over all that were offered, with their layouts."""

    def __init__(self, window: Window | None = None, most: int = MAX_SLATES) -> None:
        """Keeps at most so many, of a window or of all times."""
        self._window = window
        self._most = most
        self._every = 1
        self._offered = 0
        self.slates: list[ServedSlate] = []
        self.layouts: dict[str, Layout] = {}

    def offer(self, slate: ServedSlate, layout: Layout) -> None:
        """Keeps a slate if it is its turn."""
        if self._window is not None and not self._window.start_ms <= slate.served_ms < self._window.stop_ms:
            return
        if self._offered % self._every == 0:
            self.slates.append(slate)
            self.layouts[slate.layout] = layout
        self._offered += 1
        if len(self.slates) > self._most:
            self.slates = self.slates[::2]
            self._every *= 2

    def halves(self) -> tuple[Window, Window]:
        """Two windows that meet in the middle, with about as many of the slates each."""
        times_ms = sorted(slate.served_ms for slate in self.slates)
        middle_ms = times_ms[len(times_ms) // 2]
        return Window(times_ms[0], middle_ms), Window(middle_ms, times_ms[-1] + 1)


def measure_drift(windows: tuple[Window, Window], kept: Sequence[KeptSlates]) -> Drift:
    """Drift of every feature that both windows have.

    Args:
        windows: The windows.
        kept: Slates; those of the windows count.
    """
    first, second = (
        [
            (slate, each.layouts[slate.layout])
            for each in kept
            for slate in each.slates
            if start <= slate.served_ms < stop
        ]
        for start, stop in windows
    )
    return Drift(windows, (len(first), len(second)), _drifts(_values(first), _values(second)))


def sample_drift(before: Samples, after: Samples) -> tuple[FeatureDrift, ...]:
    """The drift from some samples to others of the same layout, most drifted first; none where one has no slate."""
    if not (len(before.slates.user) and len(after.slates.user)):
        return ()
    return _drifts(_sample_values(before), _sample_values(after))


def stability_index(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The PSI of two samples of numbers, [n] and [m].

    A value that is a decile itself has a bin of its own, so that a feature which is mostly 0 does not share the bin of
    its zeros with all that is above. Bins get half a value more, so that an empty one has a logarithm.
    """
    edges = np.unique(np.quantile(first, _DECILES))
    shares: list[NDArray[np.float64]] = []
    for values in (first, second):
        bins = np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")
        shares.append(np.bincount(bins, minlength=2 * len(edges) + 1).astype(np.float64))
    used = (shares[0] + shares[1]) > 0
    p, q = ((counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in shares)
    return float(((q - p) * np.log(q / p)).sum())


def is_stuck(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether all of the second sample are one value, which less than half of the first have."""
    return bool((second == second[0]).all() and (first == second[0]).mean() < 0.5)


def unseen_share(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The share of the ids of the second sample that are not in the first; 0 = none, and where there are no ids."""
    ids = second[second != 0]
    return float((~np.isin(ids, np.unique(first))).mean()) if len(ids) else 0.0


def _drifts(before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]) -> tuple[FeatureDrift, ...]:
    """Of the features, by spec, that both have."""
    found = [_drift(spec, before[spec], after[spec]) for spec in before if spec in after]
    return tuple(sorted(found, key=lambda each: (-each.drift, each.spec)))


def _drift(spec: str, first: NDArray[Any], second: NDArray[Any]) -> FeatureDrift:
    """Of values [n, width] and [m, width]."""
    if first.dtype.kind == "i":
        return FeatureDrift(spec, "unseen", unseen_share(first.ravel(), second.ravel()))
    numbers = [(first[:, place], second[:, place]) for place in range(first.shape[1])]
    drift = max(stability_index(one, two) for one, two in numbers)
    return FeatureDrift(spec, "psi", drift, stuck=any(is_stuck(one, two) for one, two in numbers))


def _sample_values(samples: Samples) -> dict[str, NDArray[Any]]:
    """The values of each feature, [n, width], by spec."""
    tensors = samples.slates.tensors | samples.candidates.tensors
    return {
        column.spec: tensors[tensor.name].reshape(-1, tensor.width)[:, part]
        for tensor in samples.layout.tensors
        for column, part in zip(tensor.columns, tensor.slices().values(), strict=True)
    }


def _values(slates: Sequence[tuple[ServedSlate, Layout]]) -> dict[str, NDArray[Any]]:
    """The values of each feature, [n, width], by spec; the steps of a sequence are values of their own."""
    parts: dict[str, list[NDArray[Any]]] = {}
    for name, layout in {slate.layout: layout for slate, layout in slates}.items():
        for tensor in layout.tensors:
            values = np.concatenate([slate.tensors[tensor.name] for slate, _ in slates if slate.layout == name])
            values = values.reshape(-1, values.shape[-1])
            for column, part in zip(tensor.columns, tensor.slices().values(), strict=True):
                parts.setdefault(column.spec, []).append(values[:, part])
    return {spec: np.concatenate(found) for spec, found in parts.items()}
