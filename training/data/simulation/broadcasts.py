"""What rooms of the simulated world report: that they start, what happens in them, that they end."""

from collections.abc import Iterator

import numpy as np

from feature_service.features.events import Event, EventKind
from training.data.simulation.identity import Numbering, room_ids, streamer_id
from training.data.simulation.people import CATEGORIES, LANGUAGES, Ints
from training.data.simulation.profiles import streamer_profile
from training.data.simulation.rooms import CALM, CHATTING, MOMENT_KINDS, title
from training.data.simulation.world import World


class Broadcasts:
    """Follows the rooms of a world through time, step by step.

    Attributes:
        live: int64 [L], rows of the rooms that were on air as the last step began, in order of start.
        ids: The id of each room.
    """

    def __init__(self, world: World, number: Numbering, rng: np.random.Generator) -> None:
        self._world = world
        self._number = number
        self._rng = rng
        self._next_room = 0
        self._known = world.streamers.from_ms == 0
        rooms = world.rooms
        start_ms = rooms.moment_start_ms
        self._moment_order = np.argsort(start_ms, kind="stable")
        self._moment_starts = start_ms[self._moment_order]
        self.ids = room_ids(world)
        self.live: Ints = np.zeros(0, np.int64)
        self._on_air = self.live

    def step(self, from_ms: int, to_ms: int) -> list[Event]:
        """The events of rooms in [from_ms, to_ms), since the log's start; not yet in order."""
        rooms = self._world.rooms
        until = int(np.searchsorted(rooms.start_ms, to_ms))
        new = np.arange(self._next_room, until)
        self._next_room = until
        self.live = self._on_air
        on_air = np.concatenate([self.live, new])
        events = list(self._starts(new))
        events.extend(self._updates(*self._due(on_air, from_ms, to_ms)))
        events.extend(self._updates(*self._begun_moments(from_ms, to_ms)))
        ended = rooms.end_ms[on_air] < to_ms
        events.extend(self._ends(on_air[ended]))
        self._on_air = on_air[~ended]
        return events

    def _starts(self, new: Ints) -> Iterator[Event]:
        world, rooms = self._world, self._world.rooms
        viewers = self._viewers(new, rooms.start_ms[new])
        for row, count in zip(new.tolist(), viewers, strict=True):
            who = int(rooms.streamer[row])
            time_ms = world.settings.start_ms + int(rooms.start_ms[row])
            if not self._known[who]:
                self._known[who] = True
                yield streamer_profile(world, who, time_ms, self._number)
            yield Event(
                self._number(),
                EventKind.ROOM_STARTED,
                time_ms,
                room_id=self.ids[row],
                streamer_id=streamer_id(who),
                title=title(rooms.phrase[row]),
                category=CATEGORIES[world.streamers.category[who]],
                language=LANGUAGES[world.streamers.language[who]],
                activity=self._calm(who),
                viewers=count,
                content=tuple(rooms.content[row].tolist()),
                lease_ms=world.settings.lease_ms,
            )

    def _due(self, on_air: Ints, from_ms: int, to_ms: int) -> tuple[Ints, Ints]:
        """Rooms whose renewal falls in the step, and when."""
        every_ms = self._world.settings.update_minutes * 60_000
        start_ms = self._world.rooms.start_ms[on_air]
        turn = np.maximum(-((start_ms - from_ms) // every_ms), 1)
        at_ms = start_ms + turn * every_ms
        due = (at_ms >= from_ms) & (at_ms < to_ms) & (at_ms < self._world.rooms.end_ms[on_air])
        return on_air[due], at_ms[due]

    def _begun_moments(self, from_ms: int, to_ms: int) -> tuple[Ints, Ints]:
        """Rooms in which a moment begins, and when."""
        first, last = np.searchsorted(self._moment_starts, (from_ms, to_ms))
        found = self._moment_order[first:last]
        return self._world.rooms.moment_room[found], self._moment_starts[first:last]

    def _updates(self, rows: Ints, at_ms: Ints) -> Iterator[Event]:
        world = self._world
        kinds = world.rooms.moment(rows, at_ms).tolist()
        viewers = self._viewers(rows, at_ms)
        owners = world.rooms.streamer[rows].tolist()
        for row, when_ms, kind, count, who in zip(rows.tolist(), at_ms.tolist(), kinds, viewers, owners, strict=True):
            yield Event(
                self._number(),
                EventKind.ROOM_UPDATED,
                world.settings.start_ms + when_ms,
                room_id=self.ids[row],
                streamer_id=streamer_id(who),
                activity=MOMENT_KINDS[kind] if kind >= 0 else self._calm(who),
                viewers=count,
                lease_ms=world.settings.lease_ms,
            )

    def _ends(self, rows: Ints) -> Iterator[Event]:
        rooms = self._world.rooms
        for row in rows.tolist():
            yield Event(
                self._number(),
                EventKind.ROOM_ENDED,
                self._world.settings.start_ms + int(rooms.end_ms[row]),
                room_id=self.ids[row],
                streamer_id=streamer_id(int(rooms.streamer[row])),
            )

    def _calm(self, streamer: int) -> str:
        """What a streamer does outside moments."""
        return CALM if CATEGORIES[self._world.streamers.category[streamer]] == CALM else CHATTING

    def _viewers(self, rows: Ints, at_ms: Ints) -> list[int]:
        """Viewers in rooms, the world outside the log included; a moment doubles them if viewers care."""
        world = self._world
        rise = 1 + world.heat(rows, at_ms) * world.settings.effects.realtime
        base = world.settings.calibration.audience_at_top * world.streamers.audience[world.rooms.streamer[rows]]
        noise = self._rng.lognormal(sigma=0.1, size=len(rows))
        return (base * rise * world.busyness(at_ms) * noise).astype(np.int64).tolist()
