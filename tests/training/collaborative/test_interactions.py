"""What visits are worth, and that tables of them add up."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from training.collaborative.interactions import DAY_MS, Interactions, Worth
from training.data.erased import Erased
from training.recall_baselines import Enters

NOON = DAY_MS // 2
FOREVER = 1e9


def visits(*rows: tuple[int, int, int, int]) -> Enters:
    """Visits from (time, user, streamer, watch_ms)."""
    return Enters.of(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))


def worth_of(table: Interactions, weight: str, half_life_days: float = FOREVER, cap_s: float = 3600.0) -> np.ndarray:
    """The matrix of viewers × streamers."""
    return table.matrix(Worth(weight, cap_s, half_life_days)).worth.toarray()


def same(one: Interactions, two: Interactions) -> bool:
    """Whether two tables are equal to the bit."""
    return all(np.array_equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(Interactions))


def test_visits_of_a_day_are_summed_and_later_ones_left_out() -> None:
    seen = visits(
        (NOON, 5, 7, 1000), (1, 5, 7, 2000), (2, 5, 7, -1), (DAY_MS, 5, 7, 10), (3, 4, 9, 50), (9_999_999_999, 4, 9, 1)
    )
    table = Interactions.of(seen, until_ms=2 * DAY_MS)
    assert table.user.tolist() == [4, 5, 5]
    assert table.streamer.tolist() == [9, 7, 7]
    assert table.day.tolist() == [0, 0, 1]
    assert (table.visits.tolist(), table.unknown.tolist(), table.watch_ms.tolist()) == (
        [1, 3, 1],
        [0, 1, 0],
        [50, 3000, 10],
    )


def test_earlier_visits_plus_later_ones_are_all_to_the_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    time_ms, user, streamer = (rng.integers(0, most, 400) for most in (5 * DAY_MS, 9, 7))
    seen = Enters.of(time_ms, user, streamer, rng.integers(-1, 10_000_000, 400))
    # The cut lies in the middle of a day, so that rows of both sides meet; the later log overlaps with the earlier one.
    Interactions.of(seen, 2 * DAY_MS + NOON).write(tmp_path / "earlier.npz")
    both = Interactions.read(tmp_path / "earlier.npz").plus(seen.between(2 * DAY_MS, 9 * DAY_MS), 5 * DAY_MS)
    assert same(both, Interactions.of(seen, 5 * DAY_MS))


def test_an_erased_user_keeps_only_the_days_after_the_erasure() -> None:
    seen = visits((1, 4, 7, 9), (1, 5, 7, 9), (DAY_MS + 1, 5, 8, 9), (2 * DAY_MS, 5, 9, 9))
    table = Interactions.of(seen, 3 * DAY_MS).without(Erased.of({5: DAY_MS + NOON}))
    assert list(zip(table.user.tolist(), table.streamer.tolist(), strict=True)) == [(4, 7), (5, 9)]
    assert table.until_ms == 3 * DAY_MS


def test_visits_until_an_earlier_time_cannot_be_added() -> None:
    table = Interactions.of(visits((1, 1, 1, 1)), 10)
    with pytest.raises(ValueError, match="expected some from 10 on, received visits until 9"):
        table.plus(visits((1, 1, 1, 1)), 9)


def test_a_minute_is_worth_one_and_so_is_a_visit_of_unknown_length() -> None:
    table = Interactions.of(
        visits((0, 1, 1, 60_000), (0, 1, 2, -1), (0, 1, 3, 3_600_000), (0, 1, 4, 86_000_000)), DAY_MS
    )
    hour = np.log(3601) / np.log(61)
    assert worth_of(table, "watch").tolist() == [pytest.approx([1, 1, hour, hour])]  # More than the cap is no more.


def test_days_add_up_and_a_days_watch_is_taken_together() -> None:
    seen = visits((0, 1, 1, 30_000), (NOON, 1, 1, 30_000), (DAY_MS, 1, 1, 60_000))
    table = Interactions.of(seen, 2 * DAY_MS)
    assert worth_of(table, "watch").tolist() == [[pytest.approx(2)]]
    assert worth_of(table, "visits").tolist() == [[pytest.approx(3)]]
    assert worth_of(table, "days").tolist() == [[pytest.approx(2)]]


def test_a_day_halves_every_half_life_from_its_noon_on() -> None:
    table = Interactions.of(visits((5, 1, 1, 60_000), (2 * DAY_MS, 1, 2, 60_000)), 2 * DAY_MS + NOON)
    # Two days and a half after day 0's noon there is the half of day 2: ages 2 and 0.
    assert worth_of(table, "days", half_life_days=2.0).tolist() == [[pytest.approx(0.5), 1]]


def test_an_unknown_weight_is_named() -> None:
    with pytest.raises(ValueError, match="weight: expected one of watch, visits, days, received 'likes'"):
        Worth("likes", 1.0, 1.0)
