"""Measures of a row of the comparison, with the bootstrap draws that differences between rows are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import REPLICATES, Interval, bootstrap, interval
from training.data.samples import Samples
from training.evaluate import HeadReport, evaluate_ranking, labelled_rows, statistic_of

_Number = TypeVar("_Number", float, NDArray[np.float64])

_BOOTSTRAP_SEED = 0
"""One for all, so that the draws of two rows see the same users."""


@dataclass(frozen=True, slots=True)
class HeadMeasures:
    """One head of one training.

    Attributes:
        report: Its metrics.
        draws: Of each metric with users drawn with replacement, float64 [B]; the draws of all rows are paired.
    """

    report: HeadReport
    draws: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric over seeds.

    Attributes:
        mean: Of the seeds; None = undefined.
        half_range: Half of what lies between the least and the greatest seed.
        interval: 95 % interval of the mean, users drawn with replacement.
    """

    mean: float | None
    half_range: float = 0.0
    interval: Interval | None = None


def measure(
    predictions: NDArray[np.float32], samples: Samples, heads: Sequence[str], *, replicates: int = REPLICATES
) -> dict[str, HeadMeasures]:
    """Judges predictions, float32 [N, heads]; see `training.evaluate`."""
    reports = evaluate_ranking(predictions, samples, heads=heads, replicates=0).heads
    found: dict[str, HeadMeasures] = {}
    for name, rows in labelled_rows(predictions, samples, tuple(heads)).items():
        draws: dict[str, NDArray[np.float64]] = {}
        if reports[name].metrics:
            metrics, statistic = statistic_of(name, rows)
            values = bootstrap(statistic, rows.users, _BOOTSTRAP_SEED, replicates)
            draws = dict(zip(metrics, values.T, strict=True))
        found[name] = HeadMeasures(reports[name], draws)
    return found


def spread(seeds: Sequence[HeadMeasures], metric: str) -> Spread:
    """A metric of one row, over its seeds."""
    return _spread([_value(each, metric) for each in seeds], [each.draws.get(metric) for each in seeds])


def difference(first: Sequence[HeadMeasures], second: Sequence[HeadMeasures], metric: str) -> Spread:
    """The first row's metric minus the second's, seed by seed and draw by draw: both saw the same users."""
    pairs = list(zip(first, second, strict=True))
    values = [_minus(_value(one, metric), _value(two, metric)) for one, two in pairs]
    return _spread(values, [_minus(one.draws.get(metric), two.draws.get(metric)) for one, two in pairs])


def _value(measured: HeadMeasures, metric: str) -> float | None:
    estimate = measured.report.metrics.get(metric)
    return None if estimate is None else estimate.value


def _minus(one: _Number | None, two: _Number | None) -> _Number | None:
    return None if one is None or two is None else one - two


def _spread(values: Sequence[float | None], draws: Sequence[NDArray[np.float64] | None]) -> Spread:
    known = [value for value in values if value is not None]
    drawn = [draw for draw in draws if draw is not None]
    if len(known) < len(values) or len(drawn) < len(draws):
        return Spread(None)
    mean = float(np.mean(known))
    return Spread(mean, (max(known) - min(known)) / 2, interval(np.mean(drawn, axis=0)))
