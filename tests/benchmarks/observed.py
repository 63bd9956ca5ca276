"""What being observed costs: Recommend of a service that shows metrics beside one that does not, in turns.

What is read is read as Prometheus does, once in fifteen seconds.
"""

import asyncio
import urllib.request
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from serving.launch import free_port
from tests.benchmarks.beside import SLATE, Plan, measure_both
from tests.benchmarks.processes import running_reference_models, running_service
from tests.benchmarks.world import CONTENT_WIDTH, write_world

SCRAPE_S = 15.0


def measure(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Sets both services up, measures, and takes them down again."""
    tell(f"writing a world of {plan.size.rooms:,} live rooms, twice")
    data = [folder / f"data-{name}" for name in ("without", "with")]
    for each in data:
        write_world(each, build_catalog(CONTENT_WIDTH), plan.size, wall_clock())
    tell("exporting and serving the reference models")
    address = f"127.0.0.1:{free_port()}"
    with running_reference_models(folder) as models:
        tell("starting both services")
        with (
            running_service(folder / "without", data[0], [models.target]) as without,
            running_service(
                folder / "with", data[1], [models.target], arguments=["--metrics-address", address]
            ) as observed,
        ):

            async def both() -> dict[str, Any]:
                async with _scraping(address):
                    return await measure_both(plan, [without, observed], tell, "metrics")

            found = asyncio.run(both())
            samples = sum(not line.startswith("#") for line in _scrape(address).splitlines())
    return {**found, "slate": SLATE, "samples": samples, "cpu_ratio": found["cpu_ms"][1] / found["cpu_ms"][0]}


@asynccontextmanager
async def _scraping(address: str) -> AsyncGenerator[None]:
    async def keep() -> None:
        while True:
            await asyncio.to_thread(_scrape, address)
            await asyncio.sleep(SCRAPE_S)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _scrape(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        return answer.read().decode()
