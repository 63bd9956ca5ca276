"""What the served log costs: Recommend of a service that logs every slate beside one that logs none, in turns.

The CPU time of the service that logs has the log's writer in it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feature_service.boot import SERVED_FOLDER
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.log.reader import read_records
from feature_service.served.slate import SLATES
from tests.benchmarks.beside import SLATE, Plan, measure_both
from tests.benchmarks.processes import SETTINGS, running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, write_world

SHARES = (0, 1)
"""Of the requests that each of the two services logs."""


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets both services up, measures, and takes them down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms, twice")
    data = [folder / f"data-{share}" for share in SHARES]
    for each in data:
        write_world(each, build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    settings = [f"{SETTINGS}\n[served]\nshare = {share}\n" for share in SHARES]
    tell("exporting and serving the reference models")
    with running_reference_models(folder) as models:
        tell("starting both services")
        with (
            running_service(folder / "without", data[0], [models.target], settings[0]) as without,
            running_service(folder / "with", data[1], [models.target], settings[1]) as logging,
        ):
            found = asyncio.run(measure_both(plan, [without, logging], tell, "the log"))
    log = data[1] / SERVED_FOLDER
    logged = sum(1 for _ in read_records(log, 0, SLATES))
    size = sum(path.stat().st_size for path in log.glob("*.log"))
    return {**found, "slate": SLATE, "logged": logged, "bytes_a_slate": size / logged}
