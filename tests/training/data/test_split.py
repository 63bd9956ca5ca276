"""The time split."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.worlds import toy_world
from training.data.errors import DataError
from training.data.samples import Samples
from training.data.split import Boundaries, boundaries, decided_between, known_at, split
from training.heads import HEAD_NAMES

HOUR_MS = 3_600_000
ENTER, LIKE = HEAD_NAMES.index("enter"), HEAD_NAMES.index("like")


def hourly(slates: int) -> Samples:
    """A slate an hour, two candidates each, every label positive and known."""
    samples = toy_world(slates, seed=3, candidates=2).samples
    shape = samples.candidates.labels.shape
    return replace(
        samples,
        slates=replace(samples.slates, time_ms=np.arange(slates, dtype=np.int64) * HOUR_MS),
        candidates=replace(samples.candidates, labels=np.ones(shape, np.float32), mask=np.ones(shape, np.bool_)),
    )


def test_parts_follow_each_other_and_hold_each_slate_once():
    parts = split(hourly(10), boundaries(hourly(10), (0.7, 0.1, 0.2)))
    times = [part.slates.time_ms // HOUR_MS for part in (parts.training, parts.validation, parts.test)]
    assert [each.tolist() for each in times] == [[0, 1, 2, 3, 4, 5, 6], [7], [8, 9]]


def test_slates_of_one_time_stay_in_one_part():
    samples = hourly(10)
    same = replace(samples, slates=replace(samples.slates, time_ms=samples.slates.time_ms // (4 * HOUR_MS)))
    parts = split(same, Boundaries(1, 2))
    assert [len(part.slates.user) for part in (parts.training, parts.validation, parts.test)] == [4, 4, 2]


def test_labels_that_were_not_decided_at_the_boundary_are_masked():
    # The window of enter is ten minutes, that of like two hours: at 7 h, slates of 6 h have no like yet.
    training = split(hourly(10), boundaries(hourly(10))).training
    last, before = training.candidates.mask[-1], training.candidates.mask[-3]
    assert (last[ENTER], last[LIKE]) == (True, False)
    assert (before[ENTER], before[LIKE]) == (True, True)
    assert training.candidates.labels[-1, LIKE] == 0


def test_test_labels_are_left_as_they_are():
    assert split(hourly(10), boundaries(hourly(10))).test.candidates.mask.all()


@pytest.mark.parametrize(
    ("at", "part"), [(Boundaries(0, 5), "training"), (Boundaries(5, 5), "validation"), (Boundaries(5, 10**12), "test")]
)
def test_an_empty_part_is_named(at: Boundaries, part: str):
    with pytest.raises(DataError, match=f"^{part}: expected at least one slate"):
        split(hourly(10), at)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.8, 0.0, 0.2), (0.8, 0.3, 0.2)])
def test_fractions_that_are_none_are_refused(fractions: tuple[float, ...]):
    with pytest.raises(DataError, match=r"^fractions: expected three numbers above 0"):
        boundaries(hourly(10), fractions)


def test_nothing_cannot_be_split():
    nothing = hourly(10).between(-2, -1)
    with pytest.raises(DataError, match="received none"):
        boundaries(nothing)


def test_stretches_that_meet_hold_each_label_once():
    # Decided at 3 h: enters of until 2 h 50 min and likes of until 1 h, so of the slates at 0 and 1 h, and 2 h.
    samples = hourly(10)
    stretches = [(-1, 3), (3, 4), (4, 100)]
    parts = [decided_between(samples, start * HOUR_MS, stop * HOUR_MS) for start, stop in stretches]
    assert [(part.slates.time_ms // HOUR_MS).tolist() for part in parts] == [[0, 1, 2], [2, 3], [3, 4, 5, 6, 7, 8, 9]]
    first = parts[0].candidates
    assert first.mask[:, ENTER].tolist() == [True] * 6
    assert first.mask[:, LIKE].tolist() == [True] * 4 + [False] * 2
    assert np.array_equal(first.labels > 0, first.mask)
    assert sum(part.candidates.mask.sum() for part in parts) == samples.candidates.mask.sum()


def test_what_was_never_decided_before_is_what_is_known():
    samples = hourly(10)
    known, decided = known_at(samples, 5 * HOUR_MS), decided_between(samples, -1, 5 * HOUR_MS)
    assert np.array_equal(known.candidates.mask[known.candidates.mask.any(axis=1)], decided.candidates.mask)
