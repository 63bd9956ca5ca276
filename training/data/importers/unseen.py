"""Histories without impressions: what viewers entered, beside rooms drawn among those live then.

The room that was entered becomes an impression too, as it must have been seen. The others are marked `sampled`: they
were not seen, and stand for what the viewer could have entered instead.
"""

from dataclasses import dataclass

import numpy as np

from feature_service.features.events import Event, EventKind
from training.data.errors import DataError
from training.data.importers.merge import Block
from training.data.importers.rooms import OpenRooms
from training.data.importers.tables import ByRow, Ints


@dataclass(frozen=True, slots=True)
class Entries:
    """What viewers entered, N rows in order of time.

    Attributes:
        user_id: [N].
        room: int64 [N], row in `OpenRooms`.
        time_ms: int64 [N].
        watch_ms: int64 [N], length of the visit; -1 where it is not known.
    """

    user_id: ByRow[str]
    room: Ints
    time_ms: Ints
    watch_ms: Ints


def order_entries(user: Ints, time_ms: Ints, turn: Ints) -> tuple[Ints, Ints]:
    """Puts entries in order, and a millisecond between those of one viewer at one time.

    Args:
        user: int64 [N].
        time_ms: int64 [N].
        turn: int64 [N], decides between entries of one viewer at one time.

    Returns:
        int64 [N]: the rows in order of time; int64 [N]: their times, ascending.
    """
    order = np.lexsort((turn, time_ms, user))
    who, when = user[order], time_ms[order]
    again = (np.diff(who, prepend=-1) == 0) & (np.diff(when, prepend=-1) == 0)
    rows = np.arange(len(order))
    when = when + rows - np.maximum.accumulate(np.where(again, 0, rows))
    by_time = np.argsort(when, kind="stable")
    return order[by_time], when[by_time]


def entry_blocks(rooms: OpenRooms, entries: Entries, *, sampled: int, seed: int) -> tuple[Block, Block, Block]:
    """The impressions (seen and sampled, in random order within a request), enters and leaves of entries.

    Args:
        rooms: The rooms; each entry's is open at its time.
        entries: What was entered.
        sampled: Rooms drawn beside each, fewer where fewer are open.
        seed: Of the draw.

    Raises:
        DataError: `sampled` or `seed` is negative.
    """
    for name, value in (("sampled", sampled), ("seed", seed)):
        if value < 0:
            raise DataError(f"{name}: expected 0 or more, received {value}")
    shown = _shown(rooms, entries, sampled, np.random.default_rng(seed))
    visit, place = np.nonzero(shown >= 0)
    left = np.flatnonzero(entries.watch_ms >= 0)

    def viewer(event_id: str, kind: EventKind, at: int, room: int) -> Event:
        return Event(
            event_id,
            kind,
            int(entries.time_ms[at]),
            entries.user_id[at],
            rooms.room_id[room],
            rooms.streamer_id[room],
            f"request-{at}",
        )

    def impression(row: int) -> Event:
        at, room = int(visit[row]), int(shown[visit[row], place[row]])
        return viewer(f"impression-{row}", EventKind.IMPRESSION, at, room)._replace(sampled=room != entries.room[at])

    def enter(row: int) -> Event:
        return viewer(f"enter-{row}", EventKind.ENTER, row, int(entries.room[row]))

    def leave(row: int) -> Event:
        at = int(left[row])
        watch_ms = int(entries.watch_ms[at])
        event = viewer(f"leave-{at}", EventKind.LEAVE, at, int(entries.room[at]))
        return event._replace(time_ms=event.time_ms + watch_ms, watch_ms=watch_ms)

    ends_ms = entries.time_ms[left] + entries.watch_ms[left]
    return Block(entries.time_ms[visit], impression), Block(entries.time_ms, enter), Block(ends_ms, leave)


def draw_others(count: int, of: int, rng: np.random.Generator, rows: int) -> Ints:
    """Draws without replacement, each row on its own (Floyd's algorithm: every subset is equally likely).

    Args:
        count: Numbers in a row; at most `of`.
        of: They are drawn from 0 to `of` - 1.
        rng: The source of chance.
        rows: How many rows.

    Returns:
        int64 [rows, count].
    """
    drawn = np.full((rows, count), -1, np.int64)
    for place, top in enumerate(range(of - count, of)):
        number = rng.integers(top + 1, size=rows)
        taken = (drawn[:, :place] == number[:, None]).any(axis=1)
        drawn[:, place] = np.where(taken, top, number)
    return drawn


def _shown(rooms: OpenRooms, entries: Entries, sampled: int, rng: np.random.Generator) -> Ints:
    """int64 [N, sampled + 1]: the room entered and the others, shuffled; -1 where too few rooms were open."""
    shown = np.full((len(entries.room), sampled + 1), -1, np.int64)
    shown[:, 0] = entries.room
    # The rooms on air change only where one starts or ends: entries between two such edges are drawn for at once.
    epoch = np.searchsorted(np.unique([rooms.start_ms, rooms.end_ms]), entries.time_ms, side="right")
    bounds = np.flatnonzero(np.diff(epoch, prepend=-1, append=-1))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        now_ms = entries.time_ms[start]
        live = np.flatnonzero((rooms.start_ms <= now_ms) & (now_ms < rooms.end_ms))
        own = np.searchsorted(live, entries.room[start:stop])
        others = draw_others(min(sampled, len(live) - 1), len(live) - 1, rng, stop - start)
        # The entered room is cut out of the live ones: numbers from its place on move up by one.
        shown[start:stop, 1 : others.shape[1] + 1] = live[others + (others >= own[:, None])]
    return rng.permuted(shown, axis=1)
