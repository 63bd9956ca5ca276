"""The rate of replay: candidate rows a second on one core, in slates of ten, state updates and room versions included.

The log is simulated and lies in memory, so that neither disk nor Parquet counts. Time is the process's own CPU time,
pinned to one core.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event
from feature_service.features.reducers import Entity
from training.data.replay import Replay
from training.data.requests import Counts
from training.data.simulation.settings import Calibration, SimulationSettings
from training.data.simulator import simulate


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed.

    Attributes:
        users: Viewers of the simulated platform.
        streamers: Its streamers.
        days: Length of the log.
        warm_up_events: Events before the clock starts.
    """

    users: int = 1_000
    streamers: int = 200
    days: float = 1.0
    warm_up_events: int = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """What was measured.

    Attributes:
        rows_per_s: Candidate rows a second of CPU time.
        rows: Candidate rows.
        slate_size: Mean size of the slates.
        events: Events applied.
        features: Columns of the layout.
        seconds: CPU time, seconds.
    """

    rows_per_s: float
    rows: int
    slate_size: float
    events: int
    features: int
    seconds: float


def measure(plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Simulates a log and replays it on one core."""
    tell("simulating a log")
    # Viewers look through their whole slates, so that these are of ten unless a room ends meanwhile.
    patient = replace(Calibration(), continue_scan=1.0, continue_watched=1.0)
    settings = SimulationSettings(users=plan.users, streamers=plan.streamers, days=plan.days, calibration=patient)
    events = list(simulate(settings))
    tell(f"replaying {len(events):,} events")
    with _one_core():
        return asdict(_rate(_catalog(settings.content_width), events, plan.warm_up_events))


def _catalog(content_width: int) -> Catalog:
    """The catalogue of the simulated platform."""
    users = [Attribute(Entity.USER, name, AttributeKind.CATEGORY) for name in ("age_band", "gender", "country")]
    return build_catalog(content_width, [*users, Attribute(Entity.STREAMER, "fans", AttributeKind.NUMBER)])


def _rate(catalog: Catalog, events: Sequence[Event], warm_up_events: int) -> Rate:
    """Replays events into samples of every feature; the clock starts after a warm-up."""
    replay = Replay(catalog, layout := catalog.layout())
    start: list[tuple[float, Counts]] = []

    def passing() -> Iterator[Event]:
        for place, event in enumerate(events):
            if place == warm_up_events:
                start.append((time.process_time(), replace(replay.counts)))
            yield event

    for _ in replay.chunks(passing()):
        replay.room_versions()
    (began, before), after = start[0], replay.counts
    seconds, rows = time.process_time() - began, after.candidates - before.candidates
    return Rate(
        rows_per_s=rows / seconds,
        rows=rows,
        slate_size=rows / (after.slates - before.slates),
        events=after.events - before.events,
        features=sum(len(tensor.columns) for tensor in layout.tensors),
        seconds=seconds,
    )


@contextmanager
def _one_core() -> Generator[None]:
    """Pins this process to one of its cores for a while."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
