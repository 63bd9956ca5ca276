"""Impressions by request: a slate explains what was seen of it soon."""

import pytest

from tests.training.data.small_logs import ms, seen
from training.data.event_schema import to_table
from training.data.join import JOIN_COLUMNS
from training.data.served_impressions import Claim, Impressions


def impressions(*seconds: float) -> Impressions:
    """Viewer u saw room a of the request r at these times."""
    return Impressions(to_table([seen(at, "u", "a", "r") for at in seconds]).select(JOIN_COLUMNS))


@pytest.mark.parametrize("seconds", [-600, 0, 3_600])
def test_a_slate_explains_what_was_seen_within_the_hour_and_a_slow_clock_before_it(seconds: float) -> None:
    claim = impressions(seconds).claim("u", "r", ["b", "a"], ms(0))
    assert not isinstance(claim, Claim)
    places, rows = claim
    assert (places.tolist(), rows.tolist()) == ([1], [0])


@pytest.mark.parametrize("seconds", [-601, 3_601])
def test_a_slate_does_not_explain_what_was_seen_at_another_time(seconds: float) -> None:
    assert impressions(seconds).claim("u", "r", ["a"], ms(0)) is Claim.UNSEEN


def test_each_impression_is_explained_by_the_first_slate_that_can() -> None:
    found = impressions(10, 4_000)
    rows = [
        claim[1].tolist() for at in (0, 600) if not isinstance(claim := found.claim("u", "r", ["a"], ms(at)), Claim)
    ]
    assert rows == [[0], [1]]
    assert found.claim("u", "r", ["a"], ms(700)) is Claim.REPEATED
