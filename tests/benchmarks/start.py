"""Start-up: seconds and memory of the service with many live rooms, and with many known users besides."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.stores.opening import STORE_FILE
from tests.benchmarks.processes import running_service
from tests.benchmarks.world import CONTENT_WIDTH, Size, write_world


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes that are started, in turn."""

    sizes: tuple[Size, ...] = (Size(rooms=0, viewers=0, known_users=0), Size(), Size(known_users=1_000_000))


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Writes each world, and starts a service on it, without model servers."""
    found: list[dict[str, Any]] = []
    for number, size in enumerate(plan.sizes):
        tell(f"writing {size.rooms:,} live rooms and {size.known_users:,} known users")
        data = folder / f"data-{number}"
        write_world(data, build_catalog(CONTENT_WIDTH), size, wall_clock())
        tell("starting the service on them")
        with running_service(folder / f"service-{number}", data) as service:
            found.append(
                {
                    "rooms": size.rooms,
                    "known_users": size.known_users,
                    "start_s": service.start_s,
                    "resident_mb": service.resident_mb(),
                    "store_mb": (data / STORE_FILE).stat().st_size / 1e6,
                }
            )
    return found
