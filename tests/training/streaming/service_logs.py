"""The logs of a small service, made up: viewers who see, enter and act, reported late, twice and out of order."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_TENSORS, DTYPES, Layout
from feature_service.features.view import Context
from feature_service.log.local import LocalLog
from feature_service.log.record_log import RecordLog
from feature_service.served.layouts import name_of, write_layout
from feature_service.served.slate import SLATES, ServedRoom, ServedSlate
from training.data.chunks import item_shape
from training.data.hours import HOUR_MS

CATALOG: Catalog = build_catalog(2)
LAYOUT = CATALOG.layout(("user.id", "user.watched.*", "room.viewers", "room.title", "streamer.id", "streamer.enter.*"))
NARROW = CATALOG.layout(("user.id", "room.viewers", "streamer.id"))

START_MS = 500_000 * HOUR_MS
"""When the logs begin: the start of an hour."""

LATER = "later"
"""The last event that `closed` adds."""

ACTS = (EventKind.LIKE, EventKind.COMMENT, EventKind.GIFT, EventKind.SHARE, EventKind.FOLLOW)


@dataclass(slots=True)
class ServiceLogs:
    """Two logs in the making; `data` is the service's folder."""

    data: Path
    events: list[Event] = field(default_factory=list[Event])
    slates: list[ServedSlate] = field(default_factory=list[ServedSlate])

    @property
    def log(self) -> Path:
        """The event log."""
        return self.data / LOG_FOLDER

    @property
    def served(self) -> Path:
        """The served log."""
        return self.data / SERVED_FOLDER

    def append(self, events: list[Event], at_once: int = 1) -> None:
        """Writes events behind the others, so many at once."""
        log = LocalLog.open(self.log, segment_bytes=20_000 * at_once)
        for first in range(0, len(events), at_once):
            log.append(events[first : first + at_once])
        log.close()

    def serve(self, slates: list[ServedSlate], layouts: tuple[Layout, ...] = (LAYOUT,)) -> None:
        """Writes slates behind the others, in some segments."""
        log = RecordLog[ServedSlate].opened(self.served, SLATES, segment_bytes=20_000 + 100 * len(slates))
        for layout in layouts:
            write_layout(self.served, layout)
        for slate in slates:
            log.append([slate])
        log.close()


def slate(
    rng: np.random.Generator, request: str, user: str, rooms: list[str], served_ms: int, layout: Layout = LAYOUT
) -> ServedSlate:
    """A slate with tensors of no meaning, which no other slate has."""
    return ServedSlate(
        request_id=request,
        user_id=user,
        context=Context(),
        arm="",
        served_ms=served_ms,
        log_position=0,
        fingerprint=CATALOG.fingerprint,
        ranker="mmoe",
        ranker_version=1,
        layout=name_of(layout),
        heads=("enter",),
        rooms=tuple(ServedRoom(room, f"streamer-{room}", n, 0.5, 1.0, (0.1,)) for n, room in enumerate(rooms)),
        tensors={
            tensor.name: rng.integers(
                0, 1000, (len(rooms) if tensor.name in CANDIDATE_TENSORS else 1, *item_shape(tensor))
            ).astype(DTYPES[tensor.name])
            for tensor in layout.tensors
        },
    )


def event(kind: EventKind, event_id: str, time_ms: int, user: str, room: str, request: str = "", **more: Any) -> Event:
    """What a viewer does, received at once."""
    return Event(
        event_id,
        kind,
        time_ms,
        user_id=user,
        room_id=room,
        streamer_id=f"streamer-{room}",
        request_id=request,
        received_ms=time_ms,
        **more,
    )


def room_event(kind: EventKind, event_id: str, time_ms: int, room: str, viewers: int = 1) -> Event:
    """What happens to a room; it stays on air for twenty minutes unrenewed."""
    return Event(
        event_id,
        kind,
        time_ms,
        room_id=room,
        streamer_id=f"streamer-{room}",
        title=f"title of {room}",
        viewers=viewers,
        lease_ms=1_200_000,
        received_ms=time_ms,
    )


def made_up(
    folder: Path, seed: int, hours: int = 6, slates_an_hour: int = 12, rooms: int = 8, viewers: int = 5
) -> tuple[ServiceLogs, list[Event]]:
    """Logs of some hours: the served one is written, the events are returned in the order of their receipt.

    Slates are written up to a quarter of an hour after others. A tenth of the events come once more, a third out of
    order, a twentieth more than an hour late; each is received at most an hour and a half after it happened.
    """
    rng = np.random.default_rng(seed)
    logs = ServiceLogs(folder)
    spans = {
        f"room-{n}": (START_MS + int(rng.integers(3_000_000)), START_MS + int(rng.uniform(0.5, 1) * hours * HOUR_MS))
        for n in range(rooms)
    }
    events = [each for room, (start_ms, end_ms) in spans.items() for each in _broadcast(rng, room, start_ms, end_ms)]
    for number in range(hours * slates_an_hour):
        served_ms = START_MS + round(number * HOUR_MS / slates_an_hour + rng.uniform(0, 60_000))
        on_air = [room for room, (start_ms, end_ms) in spans.items() if start_ms <= served_ms < end_ms]
        user, shown = f"user-{rng.integers(viewers)}", rng.permutation(on_air)[:4].tolist()
        logs.slates.append(slate(rng, f"request-{number}", user, shown, served_ms))
        if rng.random() < 0.1:
            logs.slates.append(logs.slates[-1])
        for place, room in enumerate(shown[: rng.integers(5)]):
            events += _visit(rng, f"{number}-{place}", user, room, f"request-{number}", served_ms)
    written = np.argsort([each.served_ms + rng.uniform(0, 900_000) for each in logs.slates])
    logs.serve([logs.slates[place] for place in written])
    return logs, _received(rng, events)


def with_a_quiet_hour(folder: Path) -> tuple[ServiceLogs, list[Event]]:
    """Logs of an hour, of one in which nothing happens but that a room goes off air, and of one more."""
    rng, logs, minute_ms = np.random.default_rng(0), ServiceLogs(folder), 60_000
    events: list[Event] = []
    for room, started_ms in (("before", START_MS + 50 * minute_ms), ("after", START_MS + 130 * minute_ms)):
        shown_ms, request = started_ms + minute_ms, f"request {room}"
        logs.slates.append(slate(rng, request, "one", [room], shown_ms))
        events.append(room_event(EventKind.ROOM_STARTED, f"start {room}", started_ms, room))
        events += [
            event(kind, f"{kind.name} {room}", shown_ms + minute_ms, "one", room, request, watch_ms=9_000)
            for kind in (EventKind.IMPRESSION, EventKind.ENTER, *ACTS, EventKind.LEAVE)
        ]
    logs.serve(logs.slates)
    return logs, events


def closed(events: list[Event]) -> list[Event]:
    """Events, and behind them a room that goes on air and one so much later that all their hours are over."""
    last_ms = max(each.received_ms for each in events)
    started = room_event(EventKind.ROOM_STARTED, "start last", max(each.time_ms for each in events), "room-last")
    later = event(EventKind.IMPRESSION, LATER, last_ms + 8 * HOUR_MS, "other", "elsewhere")
    return [*events, started._replace(received_ms=last_ms), later]


def _broadcast(rng: np.random.Generator, room: str, start_ms: int, end_ms: int) -> list[Event]:
    """A room that starts, is renewed every ten minutes, and ends."""
    events = [room_event(EventKind.ROOM_STARTED, f"start {room}", start_ms, room)]
    for at_ms in range(start_ms + 600_000, end_ms, 600_000):
        viewers = int(rng.integers(100))
        events.append(room_event(EventKind.ROOM_UPDATED, f"update {room} {at_ms}", at_ms, room, viewers))
    return [*events, room_event(EventKind.ROOM_ENDED, f"end {room}", end_ms, room)]


def _visit(rng: np.random.Generator, name: str, user: str, room: str, request: str, served_ms: int) -> list[Event]:
    """What follows one place of a slate: seen within minutes, perhaps entered, with acts and a leave."""
    seen_ms = served_ms + int(rng.exponential(240_000))
    events = [event(EventKind.IMPRESSION, f"seen {name}", seen_ms, user, room, request)]
    if rng.random() < 0.5:
        stay_ms = int(rng.exponential(1_800_000))
        asked = request if rng.random() < 0.8 else ""
        events.append(event(EventKind.ENTER, f"enter {name}", seen_ms + 2_000, user, room, asked))
        for kind in ACTS:
            if rng.random() < 0.3:
                at_ms = seen_ms + 2_000 + int(rng.uniform(0, 1.3) * stay_ms)
                events.append(event(kind, f"{kind.name} {name}", at_ms, user, room, asked, gift_value=5))
        events.append(event(EventKind.LEAVE, f"leave {name}", seen_ms + stay_ms, user, room, asked, watch_ms=stay_ms))
    return events


def _received(rng: np.random.Generator, events: list[Event]) -> list[Event]:
    received: list[Event] = []
    for each in events:
        for copy in range(2 if rng.random() < 0.1 else 1):
            delay_ms = rng.choice([0, rng.uniform(0, 600_000), rng.uniform(3_600_001, 5_400_000)], p=[0.65, 0.3, 0.05])
            at_ms = each.time_ms + min(round(delay_ms) + copy * 60_000, 5_400_000)
            received.append(each._replace(received_ms=at_ms))
    return sorted(received, key=lambda each: each.received_ms)
