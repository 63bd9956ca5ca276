"""No text of a request becomes a path: what the service opens, makes, moves and removes while hostile ones come."""

import random
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.faults.hostile_requests import MARK, hostile_request
from tests.feature_service.access.guarded_service import Guarded, channel, guarded, send

REQUESTS, SEED = 600, 5
HOSTILE = (MARK, "passwd", "boot.ini", "/dev/stdin", "<script>", "DROP TABLE", "x" * 250)


class Watch:
    """What Python says of files that it touches, while it is told to listen."""

    def __init__(self) -> None:
        self.listens = False
        self.touched: list[tuple[str, str]] = []
        sys.addaudithook(self._heard)  # Stays as long as the process.

    def _heard(self, event: str, details: tuple[Any, ...]) -> None:
        if self.listens and event.startswith(("open", "os.", "shutil.", "sqlite3.", "subprocess.", "glob.")):
            self.touched += [(event, str(each)) for each in details if isinstance(each, str | bytes | Path)]


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@pytest.fixture
def listening(watch: Watch) -> Iterator[Watch]:
    watch.touched.clear()
    watch.listens = True
    yield watch
    watch.listens = False


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Guarded]:
    (tmp_path / "models" / "mmoe" / "1").mkdir(parents=True)
    async with guarded(tmp_path / "data", more=f'[models]\nfolder = "{tmp_path / "models"}"\n') as running:
        yield running


async def test_no_text_of_a_request_becomes_a_path(service: Guarded, listening: Watch) -> None:
    chance = random.Random(SEED)  # noqa: S311 (no secret comes of it)
    statuses: set[grpc.StatusCode] = set()
    async with channel(service.target) as opened:
        for _ in range(REQUESTS):
            sent = hostile_request(chance)
            statuses.add((await send(opened, sent.method, sent.message))[0])
    listening.listens = False
    paths = {path for _, path in listening.touched}
    assert str(service.data / "audit.jsonl") in paths  # It does listen.
    assert [touched for touched in listening.touched if any(word in touched[1] for word in HOSTILE)] == []
    assert statuses <= {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
