"""The history of rooms: saved and taken up again, it goes on as if nothing had been."""

import pytest

from feature_service.features.events import Event, EventKind
from tests.training.streaming.service_logs import CATALOG, START_MS, event, room_event
from training.streaming.room_history import RoomHistory

LAYOUT = CATALOG.layout(("room.*", "streamer.*"))


def ms(minutes: float) -> int:
    """Unix milliseconds of a time after the start."""
    return START_MS + round(minutes * 60_000)


def enters(room: str, minutes: float) -> Event:
    """A viewer enters a room."""
    return event(EventKind.ENTER, f"enter {room} {minutes}", ms(minutes), "one", room)


def started(room: str, minutes: float) -> Event:
    """A room goes on air."""
    return room_event(EventKind.ROOM_STARTED, f"start {room}", ms(minutes), room)


def told(history: RoomHistory) -> list[bytes]:
    """All that a history says of the rooms up to its third hour."""
    parts = history.of(0, ms(180), LAYOUT)
    arrays = [array for part in parts for array in (part.room, part.start_ms, part.stop_ms, *part.tensors.values())]
    return [array.tobytes() for array in arrays]


@pytest.mark.parametrize(
    "events",
    [
        [started("a", 0), enters("a", 5), started("a", 15), enters("a", 16), started("b", 40), started("a", 75)],
        # Nobody has started x. Its visits are forgotten an hour later, at the first look after that: at minute 70.
        [enters("x", 0), enters("y", 10), enters("y", 60), enters("y", 61), started("x", 62), started("y", 71)],
        [enters("x", 0), started("a", 1), enters("a", 30), enters("a", 75), started("x", 76)],
    ],
)
def test_a_history_that_is_taken_up_again_goes_on_as_before(events: list[Event]) -> None:
    straight = RoomHistory(CATALOG)
    for each in events:
        straight.apply(each)
    for place in range(len(events)):
        first, second = RoomHistory(CATALOG), RoomHistory(CATALOG)
        for each in events[:place]:
            first.apply(each)
        second.restore(first.arrays())
        for each in events[place:]:
            second.apply(each)
        assert told(second) == told(straight), place


@pytest.mark.parametrize("others_minutes", [(), (79,), (82,), (79, 84)])
def test_an_end_that_is_told_after_the_room_is_gone_counts_the_same_whoever_else_is_followed(
    others_minutes: tuple[float, ...],
) -> None:
    history = RoomHistory(CATALOG)
    # Unrenewed, "a" went off air at minute 20; from minute 80 on it is gone.
    end = room_event(EventKind.ROOM_ENDED, "end a", ms(10), "a")._replace(received_ms=ms(85))
    for each in (started("a", 0), *(enters("b", minutes) for minutes in others_minutes), end):
        history.apply(each)
    ended, going_on = history.of(0, ms(180), LAYOUT)
    assert ended.stop_ms.tolist() == [ms(20)]
    assert len(going_on.room) == 0


def test_versions_that_ended_long_ago_are_let_go_and_those_that_hold_are_not() -> None:
    history = RoomHistory(CATALOG)
    for each in (started("a", 0), started("b", 100), enters("b", 110)):
        history.apply(each)
    # Unrenewed, "a" went off air at minute 20 and "b" will at minute 120.
    history.forget(ms(110))
    ended, going_on = history.of(0, ms(110), LAYOUT)
    assert len(ended.room) == 0
    assert going_on.start_ms.tolist() == [ms(100)]
