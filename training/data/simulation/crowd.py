"""The viewers of the simulated world through time: their requests, and the events that follow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from feature_service.features.events import Event, EventKind
from training.data.simulation.identity import Numbering, streamer_id, user_id
from training.data.simulation.people import COUNTRIES, DEVICES, NETWORKS, Floats, Ints
from training.data.simulation.policy import choose_slates
from training.data.simulation.reactions import Reaction, react
from training.data.simulation.settings import DAY_MS, STEP_MS
from training.data.simulation.visits import SHORT_MS, Visits, go_through
from training.data.simulation.world import World

_SCENES = ("live_tab", "home")
_BLOCK = 4_096
"""Requests that are worked on at once; bounds the memory of a busy step."""

_NEUTRAL = 0.5
_CONTENT_MS = 30_000
"""Who watched so long of a slate goes away content."""
_MOOD_RATE = 0.1
"""The mood is the decayed share of slates that left the viewer content."""


@dataclass(frozen=True, slots=True)
class _Slates:
    """Requests of one block: users [N], rooms [N, K], propensities [N, K], asked_ms [N] and the request ids."""

    users: Ints
    rooms: Ints
    propensity: Floats
    asked_ms: Ints
    request_ids: list[str]


@dataclass(frozen=True, slots=True)
class Asking:
    """Viewers who ask for slates at about the same time.

    Attributes:
        world: The truth.
        users: Rows of viewers, int64 [N].
        live: Rows of the rooms on air, int64 [L].
        loyalty: How loyal each viewer is to each room's streamer, 0 to 1, float64 [N, L].
        from_ms: When, since the log's start.
        request_ids: A name for each request.
        rng: The source of chance.
    """

    world: World
    users: Ints
    live: Ints
    loyalty: Floats
    from_ms: int
    request_ids: list[str]
    rng: np.random.Generator


Chooser = Callable[[Asking], tuple[Ints, Floats]]
"""Slates as columns of `Asking.live`, int64 [N, K], with the propensity of each room, float64 [N, K]; 0 = not told."""


def platform_policy(asking: Asking) -> tuple[Ints, Floats]:
    """The slates of the simulated platform itself, see `training.data.simulation.policy`."""
    return choose_slates(asking.world, asking.users, asking.live, asking.loyalty, asking.rng)


class Crowd:
    """Viewers who ask for slates; remembers whom each has watched, who is still watching, and in what mood each is."""

    def __init__(self, world: World, room_ids: list[str], number: Numbering, rng: np.random.Generator) -> None:
        self._world = world
        self._room_ids = room_ids
        self._number = number
        self._rng = rng
        self._busy_until_ms = np.zeros(world.settings.users, np.int64)
        self._visits: dict[int, dict[int, int]] = {}
        self._followed: set[tuple[int, int]] = set()
        self._requests = 0
        self._mood = np.full(world.settings.users, _NEUTRAL)
        self._rate = world.settings.calibration.slates_per_user_day * STEP_MS / DAY_MS * world.viewers.activity

    def step(self, from_ms: int, live: Ints, choose: Chooser) -> list[Event]:
        """The events that follow from requests in the step from `from_ms` on; some happen hours later.

        Args:
            from_ms: Since the log's start.
            live: int64 [L], rows of the rooms on air; none, and nothing is asked.
            choose: Makes the slates.
        """
        retention = self._world.settings.calibration.retention
        keenness = 1 + retention * (self._mood / _NEUTRAL - 1)
        ask = self._rng.random(len(self._rate)) < self._rate * keenness * self._world.busyness(from_ms)
        users = np.flatnonzero(ask & (self._busy_until_ms <= from_ms))
        events: list[Event] = []
        if len(live):
            for start in range(0, len(users), _BLOCK):
                events.extend(self._serve(users[start : start + _BLOCK], live, from_ms, choose))
        return events

    def _serve(self, users: Ints, live: Ints, from_ms: int, choose: Chooser) -> Iterator[Event]:
        loyalty = self._loyalty(users, live)
        ids = [f"request-{self._requests + i:07d}" for i in range(len(users))]
        self._requests += len(users)
        columns, propensity = choose(Asking(self._world, users, live, loyalty, from_ms, ids, self._rng))
        asked_ms = from_ms + self._rng.integers(STEP_MS, size=len(users))
        slates = _Slates(users, live[columns], propensity, asked_ms, ids)
        known = np.take_along_axis(loyalty, columns, axis=1)
        visits = go_through(self._world, users, slates.rooms, asked_ms, known, self._rng)
        self._busy_until_ms[users] = visits.done_ms
        content = visits.watch_ms.sum(axis=1) >= _CONTENT_MS
        self._mood[users] += _MOOD_RATE * (content - self._mood[users])
        yield from self._impressions(slates, visits)
        yield from self._entries(slates, visits)
        yield from self._dismissals(slates, visits)

    def _loyalty(self, users: Ints, live: Ints) -> Floats:
        """float64 [N, L]: how loyal each viewer is to each live room's streamer."""
        column = np.full(self._world.settings.streamers, -1)
        column[self._world.rooms.streamer[live]] = np.arange(len(live))
        visits = np.zeros((len(users), len(live)))
        for row, user in enumerate(users.tolist()):
            known = self._visits.get(user)
            if known:
                columns = column[np.fromiter(known.keys(), np.int64, len(known))]
                on_air = columns >= 0
                visits[row, columns[on_air]] = np.fromiter(known.values(), np.int64, len(known))[on_air]
        return self._world.loyalty(visits)

    def _impressions(self, slates: _Slates, visits: Visits) -> Iterator[Event]:
        world, count = self._world, len(slates.users)
        scenes = self._rng.choice(len(_SCENES), count, p=(0.8, 0.2)).tolist()
        networks = self._rng.choice(len(NETWORKS), count, p=(0.5, 0.3, 0.2)).tolist()
        seen, times, rooms = visits.seen.tolist(), visits.seen_ms.tolist(), slates.rooms.tolist()
        propensities, start_ms = slates.propensity.tolist(), world.settings.start_ms
        owners = world.rooms.streamer[slates.rooms].tolist()
        for row, user in enumerate(slates.users.tolist()):
            viewer, request = user_id(user), slates.request_ids[row]
            scene, network = _SCENES[scenes[row]], NETWORKS[networks[row]]
            device, region = DEVICES[world.viewers.device[user]], COUNTRIES[world.viewers.country[user]]
            for place, see in enumerate(seen[row]):
                if see:
                    yield Event(
                        self._number(),
                        EventKind.IMPRESSION,
                        start_ms + times[row][place],
                        viewer,
                        self._room_ids[rooms[row][place]],
                        streamer_id(owners[row][place]),
                        request,
                        place,
                        propensities[row][place],
                        scene=scene,
                        device=device,
                        network=network,
                        region=region,
                    )

    def _entries(self, slates: _Slates, visits: Visits) -> Iterator[Event]:
        world, start_ms = self._world, self._world.settings.start_ms
        rows, places = np.nonzero(visits.entered)
        rooms = slates.rooms[rows, places]
        enter_ms, watch_ms = visits.seen_ms[rows, places] + 1, visits.watch_ms[rows, places]
        reactions = react(world, visits.affinity[rows, places], visits.heat[rows, places], watch_ms, self._rng)
        for visit, (row, room) in enumerate(zip(rows.tolist(), rooms.tolist(), strict=True)):
            user, who = int(slates.users[row]), int(world.rooms.streamer[room])
            ids = (user_id(user), self._room_ids[room], streamer_id(who), slates.request_ids[row])
            at_ms, stay_ms = start_ms + int(enter_ms[visit]), int(watch_ms[visit])
            yield Event(self._number(), EventKind.ENTER, at_ms, *ids, region=COUNTRIES[world.viewers.country[user]])
            for reaction in reactions.get(visit, ()):
                if self._wants(reaction, user, who):
                    time_ms = at_ms + reaction.delay_ms
                    yield Event(self._number(), reaction.kind, time_ms, *ids, gift_value=reaction.gift_value)
            yield Event(self._number(), EventKind.LEAVE, at_ms + stay_ms, *ids, watch_ms=stay_ms)
            if stay_ms >= SHORT_MS:
                known = self._visits.setdefault(user, {})
                known[who] = known.get(who, 0) + 1

    def _wants(self, reaction: Reaction, user: int, streamer: int) -> bool:
        """Nobody follows twice."""
        if reaction.kind is not EventKind.FOLLOW:
            return True
        new = (user, streamer) not in self._followed
        self._followed.add((user, streamer))
        return new

    def _dismissals(self, slates: _Slates, visits: Visits) -> Iterator[Event]:
        draw = self._rng.random(visits.seen.shape)
        rows, places = np.nonzero(
            visits.seen & ~visits.entered & (draw < self._world.settings.calibration.not_interested)
        )
        for row, place in zip(rows.tolist(), places.tolist(), strict=True):
            room = int(slates.rooms[row, place])
            yield Event(
                self._number(),
                EventKind.NOT_INTERESTED,
                self._world.settings.start_ms + int(visits.seen_ms[row, place]) + 300,
                user_id(int(slates.users[row])),
                self._room_ids[room],
                streamer_id(int(self._world.rooms.streamer[room])),
                slates.request_ids[row],
            )
