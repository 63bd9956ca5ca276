"""What comes before the loop: a history by the platform's own policy, models trained on it, and the service's data."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from feature_service.features.events import Event
from training.closed_loop.loop import Outcomes
from training.closed_loop.policies import Popularity
from training.data.dataset import catalog_of_set
from training.data.samples_io import read_sample_about
from training.data.simulation.people import Ints
from training.data.simulation.settings import Calibration, SimulationSettings
from training.data.simulator import Simulation, write_simulated
from training.demo import DemoFolders
from training.seed import seed

RETENTION = 0.5
"""`Calibration.retention` of the worlds of closed loops: whom slates leave content asks more often."""


def loop_world(settings: SimulationSettings, minutes: int) -> SimulationSettings:
    """The same world, going on for so many minutes more, in which viewers come back for what they liked."""
    calibration: Calibration = replace(settings.calibration, retention=RETENTION)
    return replace(settings, days=settings.days + minutes / 1440, calibration=calibration)


@dataclass(frozen=True, slots=True)
class History:
    """A simulation that stands where the loop begins.

    Attributes:
        simulation: The simulation.
        popularity: The enters so far.
        before: What each viewer did so far.
    """

    simulation: Simulation
    popularity: Popularity
    before: Outcomes


def live_through(
    settings: SimulationSettings, days: float, folders: DemoFolders, on_time: Callable[[int], None]
) -> History:
    """Simulates the first days; writes their log unless it is there.

    Args:
        settings: The world, of the whole time.
        days: How long the history is.
        folders: Where the log goes.
        on_time: Takes how far it is, Unix milliseconds.

    Raises:
        DataError: The log cannot be written.
    """
    simulation = Simulation(settings)
    history = History(simulation, Popularity(settings.streamers), Outcomes.none(settings.users))
    events = _observed(_first_days(simulation, days), history, on_time)
    if (folders.log / "about.json").exists():
        for _ in events:
            pass
    else:
        write_simulated(events, replace(settings, days=days), folders.log)
    return history


def fresh_service_data(folders: DemoFolders) -> None:
    """Writes the service's data anew as of the end of the log: an earlier loop has gone on from there.

    Raises:
        DataError: The log or the sample set is not readable.
        StoreError: The store cannot be written.
        LogError: The service's log cannot be written.
    """
    shutil.rmtree(folders.service, ignore_errors=True)
    last_ms = read_sample_about(folders.samples).last_ms
    seed(folders.log, last_ms, folders.service, catalog_of_set(folders.samples))


def assign(users: int, arms: int, random_seed: int) -> Ints:
    """The arm of each viewer, int64 [users], drawn so that arms are of one size."""
    return np.random.default_rng([random_seed, 3]).permutation(users) % arms


def _first_days(simulation: Simulation, days: float) -> Iterator[Event]:
    yield from simulation.profiles()
    while simulation.now_ms < days * 86_400_000:
        yield from simulation.step()


def _observed(events: Iterator[Event], history: History, on_time: Callable[[int], None]) -> Iterator[Event]:
    for event in events:
        history.popularity.learn(event)
        history.before.learn(event)
        on_time(event.time_ms)
        yield event
