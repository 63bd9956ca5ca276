"""Facts: the strings beside the records, for people, filters and the way back from a key to an id."""

from dataclasses import dataclass, field

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of

_TEXTS = ("title", "category", "language", "activity")


@dataclass(slots=True)
class RoomFacts:
    """What is known of a room in words.

    Attributes:
        room_id: The platform's id.
        streamer_id: Who broadcasts.
        texts: Title, category, language and activity, each with the time of the event that gave it (ms).
    """

    room_id: str
    streamer_id: str = ""
    texts: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    def text(self, name: str) -> str:
        """The newest value of a text; an empty string when none was given."""
        return self.texts.get(name, (0, ""))[1]

    def learn(self, event: Event) -> None:
        """Takes what a room event says; the greatest (time, text) stays."""
        self.streamer_id = max(self.streamer_id, event.streamer_id)
        for name in _TEXTS:
            given = (event.time_ms, getattr(event, name))
            if given[1] and given > self.texts.get(name, (0, "")):
                self.texts[name] = given


class Facts:
    """Facts of rooms, and the ids of users and streamers, by key."""

    def __init__(self) -> None:
        self.rooms: dict[int, RoomFacts] = {}
        self.streamers: dict[int, str] = {}
        self.users: dict[int, str] = {}

    def learn(self, event: Event) -> None:
        """Takes what an event says."""
        if event.user_id:
            self.users[key_of("user", event.user_id)] = event.user_id
        if event.streamer_id:
            self.streamers[key_of("streamer", event.streamer_id)] = event.streamer_id
        if event.kind in (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED):
            key = key_of("room", event.room_id)
            facts = self.rooms.get(key)
            if facts is None:
                facts = self.rooms[key] = RoomFacts(event.room_id)
            facts.learn(event)

    def complete(self, event: Event, lease_ms: int) -> Event:
        """Fills in what the platform may leave out, so that the logged event stands for itself.

        Args:
            event: The event as reported.
            lease_ms: The lease of rooms whose events name none.

        Returns:
            The event with the streamer and the category of its room, and a room's lease.
        """
        if event.kind in (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED) and not event.lease_ms:
            event = event._replace(lease_ms=lease_ms)
        if event.streamer_id and (event.category or event.kind not in _VISITS):
            return event
        room = self.rooms.get(key_of("room", event.room_id))
        if room is None:
            return event
        category = event.category or (room.text("category") if event.kind in _VISITS else "")
        return event._replace(streamer_id=event.streamer_id or room.streamer_id, category=category)

    def collision(self, event: Event) -> str | None:
        """Names the id whose key already stands for another id, or None.

        A key has 64 bits, so this is one in 10^7 for a million ids; it is refused rather than mixed up.
        """
        room = self.rooms.get(key_of("room", event.room_id))
        if room is not None and room.room_id != event.room_id:
            return f"room_id: {event.room_id!r} has the key of {room.room_id!r}; choose another id"
        streamer = self.streamers.get(key_of("streamer", event.streamer_id), event.streamer_id)
        if streamer != event.streamer_id:
            return f"streamer_id: {event.streamer_id!r} has the key of {streamer!r}; choose another id"
        user = self.users.get(key_of("user", event.user_id), event.user_id)
        if user != event.user_id:
            return f"user_id: {event.user_id!r} has the key of {user!r}; choose another id"
        return None


_VISITS = (EventKind.ENTER, EventKind.LEAVE)
