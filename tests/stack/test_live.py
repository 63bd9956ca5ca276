"""Rooms come and go within a second, and a burst lifts a room and lets it fall: the running stack with real models."""

import time
from collections.abc import Awaitable, Callable

import pytest

from feature_service.features.events import Event, EventKind
from tests.stack.running_stack import Stack, eventually
from tests.stack.toy_platform import CATEGORIES, started, visits

pytestmark = pytest.mark.slow

WITHIN_S = 1.0
TRIALS = 5
"""A busy machine may stop the test for a second, so the quickest of some trials counts."""

FAN, GAMER = "viewer-0", "viewer-1"
"""One likes music, the other games, and nothing else."""


async def rooms_on_air(stack: Stack, a_category: int = 4) -> None:
    """Rooms of known streamers go on air, and both viewers have watched what they like."""
    now_ms = stack.clock()
    rooms = [started(f"{c}-{n}/now", c, now_ms - 1_800_000) for c in CATEGORIES for n in range(a_category)]
    watched_ms = now_ms - 60_000
    await report(stack, *rooms, *visits(FAN, "music", watched_ms), *visits(GAMER, "games", watched_ms))


async def report(stack: Stack, *events: Event) -> None:
    results = await stack.client.report(events)
    assert [each.reason for each in results if each.reason] == []


async def quickest(trial: Callable[[int], Awaitable[float]]) -> float:
    """The quickest of some trials, seconds; ends at the first that is quick enough."""
    took_s = float("inf")
    for number in range(TRIALS):
        took_s = min(took_s, await trial(number))
        if took_s <= WITHIN_S:
            break
    return took_s


@pytest.mark.parametrize("streamer", ["music-7", "somebody-new"])
async def test_room_is_in_a_suitable_slate_within_a_second_of_its_start(stack: Stack, streamer: str) -> None:
    await rooms_on_air(stack)

    async def start_one(number: int) -> float:
        room = f"{streamer}/{number}"
        await report(stack, started(room, "music", stack.clock()))
        since_s = time.monotonic()

        async def shown_and_embedded() -> bool:
            found = await stack.candidate(FAN, room)
            return found is not None and "two_tower" in {hit.channel for hit in found.channels}

        await eventually(shown_and_embedded)
        assert room in await stack.slate(FAN)
        took_s = time.monotonic() - since_s
        await report(stack, Event(f"end {room}", EventKind.ROOM_ENDED, stack.clock(), room_id=room))
        return took_s

    assert await quickest(start_one) <= WITHIN_S


async def test_brand_new_streamer_is_found_by_content_and_as_fresh(stack: Stack) -> None:
    await rooms_on_air(stack)
    await report(stack, started("somebody-new/1", "music", stack.clock()))

    async def found_by_both() -> dict[str, int]:
        found = await stack.candidate(FAN, "somebody-new/1")
        ranks = {hit.channel: hit.rank for hit in found.channels} if found else {}
        return ranks if {"two_tower", "fresh"} <= set(ranks) else {}

    ranks = await eventually(found_by_both)
    # Five rooms of 17 are to the fan's taste; nothing but its content tells that this is one of them.
    assert ranks["two_tower"] < 5
    other = await stack.candidate(GAMER, "somebody-new/1")
    assert other is not None
    assert next(hit.rank for hit in other.channels if hit.channel == "two_tower") > ranks["two_tower"]


@pytest.mark.parametrize("kind", [EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED])
async def test_room_is_gone_with_the_very_next_answer_after_it_ended_or_was_taken_down(
    stack: Stack, kind: EventKind
) -> None:
    await rooms_on_air(stack)
    assert "music-0/now" in await stack.slate(FAN)
    await report(stack, Event("gone", kind, stack.clock(), room_id="music-0/now"))
    assert "music-0/now" not in await stack.slate(FAN)
    assert "music-1/now" in await stack.slate(FAN)


async def test_room_whose_lease_runs_out_is_gone_and_a_renewal_brings_it_back(stack: Stack) -> None:
    await rooms_on_air(stack, a_category=1)
    await report(stack, started("music-7/lost", "music", stack.clock(), lease_ms=30_000))
    assert "music-7/lost" in await stack.slate(FAN)
    stack.clock.ahead_ms += 29_000
    assert "music-7/lost" in await stack.slate(FAN)
    stack.clock.ahead_ms += 1_001
    assert "music-7/lost" not in await stack.slate(FAN)
    renewal = started("music-7/lost", "music", stack.clock())
    await report(stack, renewal._replace(event_id="renewal", kind=EventKind.ROOM_UPDATED))
    assert "music-7/lost" in await stack.slate(FAN)


async def heat_of(stack: Stack, room: str) -> tuple[int, float]:
    """Rank and score of a room in the channel `hot`."""
    found = await stack.candidate(FAN, room)
    assert found is not None
    return next((hit.rank, hit.score) for hit in found.channels if hit.channel == "hot")


async def test_pk_lifts_a_room_and_it_falls_back_with_its_half_life(stack: Stack) -> None:
    await rooms_on_air(stack)
    now_ms = stack.clock()
    steady = [
        Event(f"steady {n}", EventKind.ENTER, now_ms - n * 15_000, user_id=f"s{n}", room_id="games-0/now")
        for n in range(120)
    ]
    await report(stack, *steady, Event("one", EventKind.ENTER, now_ms, user_id="s", room_id="talk-0/now"))
    assert (await heat_of(stack, "games-0/now"))[0] == 0

    burst_ms = stack.clock()
    pk = Event("pk", EventKind.ROOM_UPDATED, burst_ms, room_id="talk-0/now", streamer_id="talk-0", activity="pk")
    enters = [
        Event(f"pk enter {n}", EventKind.ENTER, burst_ms, user_id=f"p{n}", room_id="talk-0/now") for n in range(60)
    ]
    gifts = [
        Event(f"pk gift {n}", EventKind.GIFT, burst_ms, user_id=f"p{n}", room_id="talk-0/now", gift_value=1)
        for n in range(19)
    ]
    await report(stack, pk, *enters, *gifts)

    async def on_top() -> bool:
        return (await heat_of(stack, "talk-0/now"))[0] == 0

    since_s = time.monotonic()
    await eventually(on_top)
    assert time.monotonic() - since_s <= 2 or await on_top()
    # 80 visits (60 + 19 + 1) at once, of a streamer of whom nothing is usual yet:
    # (10·80 + 10) / (80 + 10) · √(80 · (80 + 10) / (80/4 + 10)) = 139.4.
    assert (await heat_of(stack, "talk-0/now"))[1] == pytest.approx(139.4, rel=0.05)
    # A minute later the rate of the last minute has halved; the ten minutes' is 80 · 2^-0.1 = 74.6:
    # (10·40 + 10) / (74.6 + 10) · √(74.6 · (74.6 + 10) / (74.6/4 + 10)) = 71.9.
    stack.clock.ahead_ms += 60_000
    assert (await heat_of(stack, "talk-0/now"))[1] == pytest.approx(71.9, rel=0.05)
    # Ten minutes later: (10·0.08 + 10) / (40 + 10) · √(40 · (40 + 10) / (40/4 + 10)) = 2.16, below the room where it
    # goes on steadily.
    stack.clock.ahead_ms += 540_000
    goes_on = [event._replace(event_id=f"on {event.event_id}", time_ms=event.time_ms + 600_000) for event in steady]
    await report(stack, *goes_on[:40])
    rank, score = await heat_of(stack, "talk-0/now")
    assert score == pytest.approx(2.16, rel=0.05)
    assert rank > (await heat_of(stack, "games-0/now"))[0]
