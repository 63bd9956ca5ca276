"""What reported events tell: what became of them, how late they came, and whether seen rooms were still on air."""

from collections import Counter
from collections.abc import Sequence

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.observe.metrics import Metrics
from feature_service.writer import Acceptance, Result

IN_THE_LOG = (Acceptance.ACCEPTED, Acceptance.LATE)


def count_events(metrics: Metrics, events: Sequence[Event], results: Sequence[Result], now_ms: int) -> None:
    """Counts reported events, and measures how late those came that are new in the log."""
    fates = Counter(
        (event.kind.name.lower(), str(each.acceptance)) for event, each in zip(events, results, strict=True)
    )
    for fate, count in fates.items():
        metrics.events[fate].inc(count)
    for event, each in zip(events, results, strict=True):
        if each.acceptance in IN_THE_LOG:
            metrics.event_lag.observe(max(now_ms - event.time_ms, 0) / 1000)


def count_impressions(metrics: Metrics, impressions: Sequence[Event], state: State) -> None:
    """Counts impressions by whether their room was on air then."""
    for room, count in Counter(presence(state, each) for each in impressions).items():
        metrics.impressions[room,].inc(count)


def presence(state: State, impression: Event) -> str:
    """Whether the room of an impression was `on_air` when it was seen or had `ended`; `unknown` = it has no record."""
    row = state.rooms.find(key_of("room", impression.room_id))
    fields, time_ms = state.rooms.fields, impression.time_ms
    if not row or not fields["started_ms"].item(row):
        return "unknown"
    over_ms = [each for name in ("ended_ms", "blocked_ms") if (each := fields[name].item(row))]
    return "ended" if min([*over_ms, fields["lease_until_ms"].item(row)]) <= time_ms else "on_air"


def impressions_in(events: Sequence[Event], results: Sequence[Result]) -> list[Event]:
    """The impressions that were accepted; a repeated one counts once."""
    return [
        event
        for event, each in zip(events, results, strict=True)
        if event.kind is EventKind.IMPRESSION and each.acceptance in IN_THE_LOG
    ]
