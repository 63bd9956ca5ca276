"""First byte of every page of the console while many rooms are on air: a real service and console on this machine.

Example:
  python -m tests.benchmarks.console_pages --rooms 20000
"""

import argparse
import logging
import statistics
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from feature_service.features.events import Event, EventKind
from tests.feature_service.console.showcase import USER, Showcase, showcase

PAGES = {
    "Explain": f"/?user={USER}&k=20",
    "What if": f"/what-if?user={USER}&k=20&w.enter=1&w.gift=9",
    "Live": "/live",
    "Live, part 100": "/live?order=fullest&page=100",
    "Models": "/models",
    "Health": "/status",
}
TIMES = 11
REPORTED = 1_000
"""Events in a report."""


def main() -> None:
    """Prints a line a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=20_000, help="on air (default %(default)s)")
    rooms = parser.parse_args().rooms
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with TemporaryDirectory() as folder, showcase(Path(folder)) as stack:
        start_rooms(stack, rooms)
        sys.stdout.write(f"{rooms} rooms on air; first byte in ms\n{'page':<16}{'median':>8}{'worst':>8}\n")
        for name, path in PAGES.items():
            times_ms = sorted(first_byte_ms(stack.url + path) for _ in range(TIMES))
            sys.stdout.write(f"{name:<16}{statistics.median(times_ms):>8.1f}{times_ms[-1]:>8.1f}\n")


def start_rooms(stack: Showcase, count: int) -> None:
    """Has so many rooms of as many streamers go on air, each with a visit."""
    now_ms = stack.clock_ms[0]
    for first in range(0, count, REPORTED):
        places = range(first, min(first + REPORTED, count))
        stack.report(*(_event(EventKind.ROOM_STARTED, i, now_ms) for i in places))
        stack.report(*(_event(EventKind.ENTER, i, now_ms) for i in places))


def first_byte_ms(url: str) -> float:
    """Time from the request to the first byte of the page, milliseconds."""
    started_s = time.perf_counter()
    with urllib.request.urlopen(url, timeout=60) as page:  # noqa: S310
        page.read(1)
        return (time.perf_counter() - started_s) * 1000


def _event(kind: EventKind, i: int, now_ms: int) -> Event:
    room = f"room-{i}"
    fields: dict[str, Any] = {
        "title": f"Room {i}",
        "category": f"category-{i % 20}",
        "viewers": i % 997,
        "lease_ms": 3_600_000,
    }
    given: dict[str, Any] = fields if kind is EventKind.ROOM_STARTED else {"user_id": f"user-{i}"}
    return Event(f"{kind.name}-{i}", kind, now_ms - 60_000, room_id=room, streamer_id=f"streamer-{i}", **given)


if __name__ == "__main__":
    main()
