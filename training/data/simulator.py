"""The simulator: a live platform with known ground truth, as a stream of events in order of time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path

import numpy as np

from feature_service.features.events import Event
from training.data.about import About, Observer, write_about
from training.data.simulation.broadcasts import Broadcasts
from training.data.simulation.crowd import Crowd
from training.data.simulation.identity import Numbering
from training.data.simulation.profiles import streamer_profile, viewer_profiles
from training.data.simulation.settings import STEP_MS, SimulationSettings
from training.data.simulation.world import World, draw_world
from training.data.sources import ROWS_PER_FILE, write_log

_EVENTS_PER_TELLING = 5_000
_BY_TIME = itemgetter(Event._fields.index("time_ms"))


def simulate(settings: SimulationSettings, world: World | None = None) -> Iterator[Event]:
    """Yields all events of a simulated log, in order of time; the same settings give the same events.

    Profiles come first. At the log's end, rooms and visits are still open, as in any log that was cut. Memory holds the
    world, whom each viewer knows, and the events that are yet to happen; not the log.

    Args:
        settings: Size, seed and effects.
        world: `draw_world(settings)`, if the caller has it already.
    """
    world = world or draw_world(settings)
    number = Numbering()
    rooms_rng, crowd_rng = np.random.default_rng([settings.seed, 1]).spawn(2)
    broadcasts = Broadcasts(world, number, rooms_rng)
    crowd = Crowd(world, broadcasts.ids, number, crowd_rng)
    yield from viewer_profiles(world, number)
    for row in np.flatnonzero(world.streamers.from_ms == 0).tolist():
        yield streamer_profile(world, row, settings.start_ms, number)
    later: defaultdict[int, list[Event]] = defaultdict(list)
    for step in range(-(-(settings.end_ms - settings.start_ms) // STEP_MS)):
        from_ms = step * STEP_MS
        for event in broadcasts.step(from_ms, from_ms + STEP_MS):
            later[step].append(event)
        for event in crowd.step(from_ms, broadcasts.live):
            later[(event.time_ms - settings.start_ms) // STEP_MS].append(event)
        now = sorted(later.pop(step, ()), key=_BY_TIME)
        yield from (event for event in now if event.time_ms < settings.end_ms)


def simulate_log(
    settings: SimulationSettings,
    uri: str | Path,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    on_time: Callable[[int], None] | None = None,
) -> About:
    """Writes a simulated log with its `about.json`.

    Args:
        settings: Size, seed and effects.
        uri: A folder without a log.
        rows_per_file: As for `write_log`.
        on_time: Is called from time to time with how far it is, Unix milliseconds.

    Raises:
        DataError: The folder holds a log already.
    """
    events = simulate(settings)
    observer = Observer(_told(events, on_time) if on_time else events)
    written = write_log(uri, observer, rows_per_file=rows_per_file)
    about = observer.about("simulator", f"seed {settings.seed}", (), written)
    write_about(uri, about)
    return about


def _told(events: Iterable[Event], on_time: Callable[[int], None]) -> Iterator[Event]:
    for place, event in enumerate(events):
        if place % _EVENTS_PER_TELLING == 0:
            on_time(event.time_ms)
        yield event
