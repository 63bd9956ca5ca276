"""Events for tests: short ones by hand, and streams of any kind by Hypothesis."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity
from feature_service.features.state import State

START_MS = 700 * 4 * 604_800_000
"""August 2023; an epoch of every half-life begins here."""

CONTENT_WIDTH = 2

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For Hypothesis on a machine that is busy with other things."""

ATTRIBUTES = (
    Attribute(Entity.USER, "city", AttributeKind.CATEGORY),
    Attribute(Entity.STREAMER, "level", AttributeKind.NUMBER),
    Attribute(Entity.ROOM, "cover", AttributeKind.VECTOR, 2),
)

CATALOG = build_catalog(CONTENT_WIDTH, ATTRIBUTES)


def event(kind: EventKind, at_s: float = 0, **fields: Any) -> Event:
    """An event of the viewer `u` in the room `r` of the streamer `s`, seconds after `START_MS`."""
    given: dict[str, Any] = {"user_id": "u", "room_id": "r", "streamer_id": "s"} | fields
    time_ms = START_MS + round(at_s * 1000)
    event_id = given.pop("event_id", f"{kind.name}-{at_s}-{given['room_id']}")
    return Event(event_id, kind, time_ms, **given)


def state_of(*events: Event) -> State:
    """The state that events leave, with all features."""
    state = State(CATALOG.memories)
    for each in events:
        state.apply(each)
    return state


def contents(state: State) -> dict[str, object]:
    """All that a state holds, with records as bytes by ascending key."""
    return {
        "rooms": state.rooms.all().tobytes(),
        "streamers": state.streamers.all().tobytes(),
        "users": state.users.all().tobytes(),
        "pairs": {user: pairs.all().tobytes() for user, pairs in state.pairs.items()},
        "facts": (state.facts.rooms, state.facts.streamers, state.facts.users),
    }


_KINDS = tuple(kind for kind in EventKind if kind is not EventKind.USER_ERASED)
_NUMBERS = st.sampled_from([-1.5, 0.1, 0.1000000001, 2.0])
_VECTORS = st.tuples(_NUMBERS, _NUMBERS)
_WORDS = st.sampled_from(["", "music", "games"])
_ATTRIBUTES = st.fixed_dictionaries({}, optional={"city": _WORDS, "level": _NUMBERS, "cover": _VECTORS})


def streams(kinds: tuple[EventKind, ...] = _KINDS, last_s: int = 400_000) -> st.SearchStrategy[list[Event]]:
    """Lists of events of two users, rooms and streamers, with many ties in time.

    Args:
        kinds: What may happen; erasures are no part of it, since they do depend on the order.
        last_s: The last second.
    """
    seconds = [second for second in (0, 1, 2, 240, 960, 3_601, 86_400, 400_000) if second <= last_s]
    return st.lists(
        st.builds(
            event,
            st.sampled_from(kinds),
            st.sampled_from(seconds),
            user_id=st.sampled_from(["u", "v"]),
            room_id=st.sampled_from(["r", "q"]),
            streamer_id=st.sampled_from(["s", "t"]),
            watch_ms=st.sampled_from([0, 900, 61_000]),
            gift_value=st.sampled_from([0.0, 0.01, 520.0]),
            category=_WORDS,
            region=st.sampled_from(["", "JP"]),
            language=_WORDS,
            activity=_WORDS,
            title=_WORDS,
            viewers=st.integers(-1, 2),
            content=st.one_of(st.just(()), _VECTORS),
            lease_ms=st.sampled_from([0, 60_000]),
            attributes=_ATTRIBUTES,
        ),
        max_size=30,
    )
