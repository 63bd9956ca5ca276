"""The rate of replay: candidate rows a second on one core, in slates of ten, state updates and room versions included.

    python -m tests.benchmarks.replay [--json]

The log is simulated and lies in memory, so that neither disk nor Parquet counts. Time is the process's own CPU time, of
which one thread does all the work.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import Event
from feature_service.features.reducers import Entity
from training.data.replay import Replay
from training.data.requests import Counts
from training.data.simulation.settings import Calibration, SimulationSettings
from training.data.simulator import simulate

SETTINGS = SimulationSettings(
    users=1_000,
    streamers=200,
    days=1.0,
    calibration=replace(Calibration(), continue_scan=1.0, continue_watched=1.0),
)
"""Viewers look through their whole slates, so that these are of ten unless a room ends meanwhile."""

WARM_UP_EVENTS = 10_000


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


def catalog() -> Catalog:
    """The catalogue of the simulated platform."""
    users = [Attribute(Entity.USER, name, AttributeKind.CATEGORY) for name in ("age_band", "gender", "country")]
    return build_catalog(SETTINGS.content_width, [*users, Attribute(Entity.STREAMER, "fans", AttributeKind.NUMBER)])


def measure(events: Sequence[Event]) -> Rate:
    """Replays events into samples of every feature; the clock starts after a warm-up."""
    replay = Replay(catalog(), layout := catalog().layout())
    start: list[tuple[float, Counts]] = []

    def passing() -> Iterator[Event]:
        for place, event in enumerate(events):
            if place == WARM_UP_EVENTS:
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


def main(arguments: Sequence[str]) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args(arguments).json
    rate = measure(list(simulate(SETTINGS)))
    if as_json:
        sys.stdout.write(json.dumps({name: getattr(rate, name) for name in Rate.__slots__}) + "\n")
    else:
        sys.stdout.write(
            f"replay: {rate.rows_per_s:,.0f} candidate rows/s on one core "
            f"({rate.rows:,} rows in slates of {rate.slate_size:.1f}, {rate.features} features, "
            f"{rate.events:,} events applied, {rate.seconds:.1f} s of CPU)\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
