"""The metrics of reported events: their fates, how late they come, seen rooms that had ended, the age of features."""

from pathlib import Path

import pytest

from feature_service.features.events import EventKind
from tests.feature_service.observe.observed_service import Observed, event, observed

MINUTE_MS = 60_000
NOON_MS = 1_800_000_000_000


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        return self.now_ms


def seen(stack: Observed, room: str) -> float:
    return stack.value("onair_impressions_total", room=room)


async def test_each_event_is_counted_by_its_kind_and_fate(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        start, like = event("start"), event("like", EventKind.LIKE, user_id="viewer")
        nobodys = event("nobody's", EventKind.LIKE)
        await stack.client.report([start, like, nobodys, like])
    for kind, acceptance in (
        ("room_started", "accepted"),
        ("like", "accepted"),
        ("like", "refused"),
        ("like", "duplicate"),
    ):
        assert stack.value("onair_events_total", kind=kind, acceptance=acceptance) == 1


async def test_the_lag_of_an_event_is_measured_once_from_its_time_until_it_was_received(tmp_path: Path) -> None:
    async with observed(tmp_path, now_ms=Clock()) as stack:
        late = event("start", time_ms=NOON_MS - 3_000)
        await stack.client.report([late])
        await stack.client.report([late])
    assert stack.value("onair_event_lag_seconds_count") == 1
    assert stack.value("onair_event_lag_seconds_sum") == pytest.approx(3.0)


@pytest.mark.parametrize("over", [EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED])
async def test_an_impression_of_a_room_that_was_over_by_then_is_counted_as_ended(
    tmp_path: Path, over: EventKind
) -> None:
    clock = Clock()
    async with observed(tmp_path, now_ms=clock) as stack:
        await stack.client.report([event("start", time_ms=NOON_MS)])
        clock.now_ms = NOON_MS + 2 * MINUTE_MS
        await stack.client.report([event("over", over, NOON_MS + MINUTE_MS)])
        before, then = NOON_MS + MINUTE_MS - 1, NOON_MS + MINUTE_MS
        impressions = [
            event(f"seen at {time_ms}", EventKind.IMPRESSION, time_ms, user_id="viewer") for time_ms in (before, then)
        ]
        await stack.client.report(impressions)
        await stack.client.report(impressions)  # Nothing is counted twice.
    assert (seen(stack, "on_air"), seen(stack, "ended")) == (1, 1)


async def test_an_impression_after_a_rooms_lease_is_counted_as_ended(tmp_path: Path) -> None:
    clock = Clock()
    async with observed(tmp_path, now_ms=clock) as stack:
        await stack.client.report([event("start", time_ms=NOON_MS, lease_ms=MINUTE_MS)])
        clock.now_ms = NOON_MS + 2 * MINUTE_MS
        await stack.client.report([event("seen", EventKind.IMPRESSION, clock.now_ms, user_id="viewer")])
    assert seen(stack, "ended") == 1


async def test_an_impression_of_a_room_that_nobody_started_is_counted_as_unknown(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        await stack.client.report([event("seen", EventKind.IMPRESSION, user_id="viewer", room_id="nobody/1")])
    assert seen(stack, "unknown") == 1


async def test_the_age_of_features_runs_from_their_answers_clock_to_the_impression(tmp_path: Path) -> None:
    clock = Clock()
    async with observed(tmp_path, now_ms=clock) as stack:
        await stack.client.report([event("start", time_ms=NOON_MS)])
        answer = await stack.client.recommend("viewer")
        clock.now_ms = NOON_MS + 9_000
        known, unknown = (
            event(name, EventKind.IMPRESSION, NOON_MS + 4_000, user_id="viewer", request_id=name)
            for name in (answer.request_id, "of another process")
        )
        await stack.client.report([known, unknown])
    # The features are of noon, the room was seen four seconds later, and it was told five seconds after that.
    assert stack.value("onair_impression_feature_age_seconds_sum") == pytest.approx(4.0)
    assert stack.value("onair_impression_feature_age_seconds_count") == 1


async def test_one_who_forwards_reports_counts_no_event_but_knows_the_age_of_its_features(tmp_path: Path) -> None:
    async with observed(tmp_path, forwards=True) as stack:
        await stack.client.report([event("start")])
        answer = await stack.client.recommend("viewer")
        seen_event = event("seen", EventKind.IMPRESSION, user_id="viewer", request_id=answer.request_id)
        await stack.client.report([seen_event])
    assert stack.value("onair_impression_feature_age_seconds_count") == 1
    assert stack.value("onair_events_total", kind="room_started", acceptance="accepted") == 0
    assert seen(stack, "on_air") == 0
