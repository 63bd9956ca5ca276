"""The simulator: a live platform with known ground truth, as a stream of events in order of time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path

import numpy as np

from feature_service.features.events import Event
from training.data.about import About, Observer, write_about
from training.data.simulation.broadcasts import Broadcasts
from training.data.simulation.crowd import Chooser, Crowd, platform_policy
from training.data.simulation.identity import Numbering
from training.data.simulation.profiles import streamer_profile, viewer_profiles
from training.data.simulation.settings import STEP_MS, SimulationSettings
from training.data.simulation.world import World, draw_world
from training.data.sources import ROWS_PER_FILE, write_log

_EVENTS_PER_TELLING = 5_000
_BY_TIME = itemgetter(Event._fields.index("time_ms"))


class Simulation:
    """A simulated platform that goes on step by step.

    Memory holds the world, whom each viewer knows, and the events that are yet to happen; not the log.

    Attributes:
        world: The truth.
        room_ids: The id of each room of the world.
    """

    def __init__(self, settings: SimulationSettings, world: World | None = None) -> None:
        """Stands at the start.

        Args:
            settings: Size, seed and effects.
            world: `draw_world(settings)`, if the caller has it already.
        """
        self.world = world or draw_world(settings)
        self._number = Numbering()
        rooms_rng, crowd_rng = np.random.default_rng([settings.seed, 1]).spawn(2)
        self._broadcasts = Broadcasts(self.world, self._number, rooms_rng)
        self.room_ids = self._broadcasts.ids
        self._crowd = Crowd(self.world, self.room_ids, self._number, crowd_rng)
        self._later: defaultdict[int, list[Event]] = defaultdict(list)
        self._step = 0

    @property
    def now_ms(self) -> int:
        """When the next step begins, since the log's start."""
        return self._step * STEP_MS

    def profiles(self) -> Iterator[Event]:
        """What is told of viewers and streamers before all else."""
        yield from viewer_profiles(self.world, self._number)
        for row in np.flatnonzero(self.world.streamers.from_ms == 0).tolist():
            yield streamer_profile(self.world, row, self.world.settings.start_ms, self._number)

    def step(self, choose: Chooser = platform_policy) -> list[Event]:
        """The events of the next step, in order of time."""
        step, from_ms = self._step, self.now_ms
        for event in self._broadcasts.step(from_ms, from_ms + STEP_MS):
            self._later[step].append(event)
        for event in self._crowd.step(from_ms, self._broadcasts.live, choose):
            self._later[(event.time_ms - self.world.settings.start_ms) // STEP_MS].append(event)
        self._step += 1
        return sorted(self._later.pop(step, ()), key=_BY_TIME)


def simulate(settings: SimulationSettings, world: World | None = None) -> Iterator[Event]:
    """Yields all events of a simulated log, in order of time; the same settings give the same events.

    Profiles come first. At the log's end, rooms and visits are still open, as in any log that was cut.

    Args:
        settings: Size, seed and effects.
        world: `draw_world(settings)`, if the caller has it already.
    """
    simulation = Simulation(settings, world)
    yield from simulation.profiles()
    while settings.start_ms + simulation.now_ms < settings.end_ms:
        yield from (event for event in simulation.step() if event.time_ms < settings.end_ms)


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
    return write_simulated(simulate(settings), settings, uri, rows_per_file=rows_per_file, on_time=on_time)


def write_simulated(
    events: Iterable[Event],
    settings: SimulationSettings,
    uri: str | Path,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    on_time: Callable[[int], None] | None = None,
) -> About:
    """Writes events of a simulation as a log; arguments and errors as of `simulate_log`."""
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
