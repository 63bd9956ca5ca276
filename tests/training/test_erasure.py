"""Erasure from end to end: a user is erased, and no file of service and training, and no Redis, holds them any more.

Each place holds the user until its own step is taken, so that none of the steps could be left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from feature_service.boot import ERASURES_FILE, LOG_FOLDER, SERVED_FOLDER
from feature_service.erasures import Erasures
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.settings import load
from tests.feature_service.redis_process import RedisProcess, made, needs_redis
from tests.feature_service.running_service import PATIENCE_S
from tests.feature_service.served.showing import CATALOG, Clock, Showing, showing
from tests.training.tiny_run import TINY
from training.__main__ import main
from training.data.erased import Erased
from training.scan.marks import Marks
from training.scan.places import Found, Scan, scan_files
from training.scan.services import scan_services
from training.streaming.worker import Worker

USER, OTHERS = "viewer-to-forget", ("viewer-a", "viewer-b", "viewer-c")
REQUESTS = 40


class Platform:
    """A service's data, and what training makes of it, below one folder."""

    def __init__(self, root: Path) -> None:
        """Nothing yet."""
        self.root, self.data, self.clock = root, root / "service", Clock()
        self.erasures = self.data / ERASURES_FILE
        self._config = root / "tiny.toml"
        self._config.write_text(TINY)

    async def serve(self, *acts: Callable[[Showing], Awaitable[None]]) -> None:
        """Runs the service for some acts."""
        async with showing(self.data, clock=self.clock) as shown:
            for act in acts:
                await act(shown)

    def work(self) -> None:
        """Lets the worker keep the hours up to date."""
        logs = self.data / LOG_FOLDER, self.data / SERVED_FOLDER
        worker = Worker(*logs, self.root / "hours", CATALOG, erasures=lambda: Erased.read(self.erasures))
        for _ in (*worker.catch_up(), *worker.write()):
            pass

    def join(self) -> None:
        """Makes a whole sample set."""
        settings = self.root / "settings.toml"
        settings.write_text("[service]\ncontent_width = 2\n")
        logs = "--log", self.data / LOG_FOLDER, "--served", self.data / SERVED_FOLDER
        self.run("join", *logs, "--samples", self.root / "samples", "--settings", settings)

    def publish(self, run: str) -> None:
        """Trains a model of the whole set, and publishes it."""
        folder = self.root / "runs" / run
        self.run("train", "--samples", self.root / "samples", "--config", self._config, "--out", folder)
        self.run("export", "--run", folder, "--samples", self.root / "samples", "--out", folder / "saved_model")
        places = "--saved-model", folder / "saved_model", "--models", self.root / "models"
        self.run("publish", *places, "--name", "lr", "--erasures", self.erasures)

    def run(self, *words: object) -> None:
        """A verb of training."""
        assert main([str(word) for word in words]) == 0

    def where(self) -> set[str]:
        """The places that hold the user; nothing is left that could not be looked into."""
        scan = Scan.new()
        scan_files(Marks(USER), str(self.root), scan)
        assert scan.closed == []
        return {Path(each.place).relative_to(self.root).parts[0] for each in scan.found}


async def crowd(shown: Showing) -> None:
    """Viewers come back, see and enter, for an hour."""
    users = (USER, *OTHERS)
    for number in range(REQUESTS):
        user = users[number % len(users)]
        await shown.see(user, await shown.show(user))


async def passing(shown: Showing) -> None:
    """Another viewer comes by, and hours later something else happens: all hours so far are over."""
    await shown.see("passing", await shown.show("passing"))
    await shown.pass_hours(7)


async def erase(shown: Showing) -> None:
    """The platform erases the user."""
    await shown.stack.client.report([Event("erase", EventKind.USER_ERASED, shown.clock.now_ms, user_id=USER)])


async def settled(data: Path) -> None:
    """Waits until a service has rewritten its logs, as it does once the erasure is more than two hours old."""
    async with asyncio.timeout(PATIENCE_S):
        while any(each.user_id for each in Erasures.open(data / ERASURES_FILE).known):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.slow
def test_no_file_holds_an_erased_user_once_each_has_done_its_part(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    asyncio.run(platform.serve(crowd, passing))
    platform.work()
    platform.join()
    platform.publish("before")
    assert platform.where() == {"service", "hours", "samples", "runs", "models"}
    asyncio.run(platform.serve(erase, passing))
    assert platform.where() == {"service", "hours", "samples", "runs", "models"}
    asyncio.run(platform.serve(lambda _: settled(platform.data)))
    assert platform.where() == {"hours", "samples", "runs", "models"}
    platform.work()
    assert platform.where() == {"samples", "runs", "models"}
    platform.run("erase", "--erasures", platform.erasures, "--samples", tmp_path / "samples")
    assert platform.where() == {"runs", "models"}
    platform.run("erase", "--erasures", platform.erasures, "--runs", tmp_path / "runs")
    assert platform.where() == {"models"}
    platform.publish("after")
    assert platform.where() == {"models"}  # Services still come from the version before.
    platform.publish("later")
    assert platform.where() == set()
    assert main(["scan", "--user", OTHERS[0], str(tmp_path)]) == 1


def in_redis(settings: Path) -> tuple[list[Found], list[Found]]:
    """Where a Redis holds the user, and where it keeps the key for good."""
    scan_services(Marks(USER), load(settings), scan := Scan.new())
    assert scan.closed == []
    return scan.found, scan.kept


@needs_redis
async def test_no_value_of_a_redis_holds_an_erased_user_once_the_logs_are_rewritten(tmp_path: Path) -> None:
    with RedisProcess(tmp_path / "redis") as server:
        more = f'[store]\naddress = "{server.address}"\n'
        (settings := tmp_path / "settings.toml").write_text(more)
        async with showing(tmp_path / "service", more=more) as shown:
            await shown.see(USER, await shown.show(USER))
        key = key_of("user", USER).to_bytes(8, "big", signed=True)
        assert any(repr(key)[2:-1] in each.place for each in in_redis(settings)[0])
        async with showing(tmp_path / "service", more=more, clock=shown.clock) as again:
            await erase(again)
            await passing(again)
        assert [each.place.endswith("b'onair:changes'") for each in in_redis(settings)[0]] == [True]
        async with showing(tmp_path / "service", more=more, clock=shown.clock):
            await settled(tmp_path / "service")
            await made(server, "onair:erased")
        found, kept = in_redis(settings)
        assert (found, len(kept)) == ([], 1)
