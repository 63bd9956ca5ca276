"""Redis is killed under a running service: answers go on, and the store comes back as the log's view, whole."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from feature_service import boot
from feature_service.boot import LOG_FOLDER
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.log.local import LocalLog
from feature_service.log.reader import read_log
from feature_service.service import FeatureService
from feature_service.stores.keeper import StateKeeper
from feature_service.stores.opening import open_store
from feature_service.stores.protocol import StoreError
from tests.feature_service.event_streams import contents
from tests.feature_service.redis_process import RedisProcess, needs_redis
from tests.feature_service.running_service import PATIENCE_S, Running, lean_settings, running
from tests.stack.running_stack import eventually

pytestmark = needs_redis

USERS, STREAMERS = 12, 5
SNAPSHOTS = ("--save", "3600 1000000")
"""Snapshots at a `SAVE` only, but they are read again."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path / "redis", *SNAPSHOTS) as server:
        yield server


def stored_in(server: RedisProcess, checkpoint_s: float = 0.05) -> str:
    return f'[store]\naddress = "{server.address}"\ncheckpoint_s = {checkpoint_s}\n'


@asynccontextmanager
async def serving(data: Path, server: RedisProcess, checkpoint_s: float = 0.05) -> AsyncIterator[Running]:
    async with running(data, more=stored_in(server, checkpoint_s)) as stack:
        yield stack


def event(number: int, kind: EventKind | None = None, **fields: Any) -> Event:
    """The event of a number: first the rooms start, then each user likes, enters and follows in turn."""
    streamer = number % STREAMERS
    given: dict[str, Any] = {"room_id": f"{streamer}/1", "streamer_id": str(streamer)} | fields
    if number < STREAMERS:
        return Event(f"e{number}", EventKind.ROOM_STARTED, wall_clock(), lease_ms=3_600_000, **given)
    kind = kind or (EventKind.LIKE, EventKind.ENTER, EventKind.FOLLOW)[number % 3]
    given.setdefault("user_id", f"user-{number % USERS}")
    return Event(f"e{number}", kind, wall_clock(), **given)


async def checkpointed(service: FeatureService, data: Path, server: RedisProcess) -> None:
    """Waits until a store that is opened anew stands where the service does."""
    settings = lean_settings(stored_in(server)).store

    async def stands() -> bool:
        try:
            store = open_store(settings, data, service.state.dtypes)
        except StoreError:
            return False
        try:
            return store.position == service.state.position
        finally:
            store.close()

    await eventually(stands)


def assert_holds_the_log(data: Path, server: RedisProcess) -> None:
    """The store, loaded by nobody but itself, has what applying the log gives."""
    catalog = build_catalog(2)
    found, expected = State(catalog.memories), State(catalog.memories)
    store = open_store(lean_settings(stored_in(server)).store, data, found.dtypes)
    keeper = StateKeeper(found, store)
    position = keeper.restore()
    for place, each in read_log(data / LOG_FOLDER, 0):
        if place < position:
            expected.apply(each)
            keeper.prepare(each)
    store.close()
    assert contents(found) == contents(expected)


async def test_a_service_starts_again_from_redis_and_reads_users_when_they_come(
    tmp_path: Path, server: RedisProcess
) -> None:
    async with serving(tmp_path / "data", server) as stack:
        await stack.client.report([event(number) for number in range(60)])
    async with serving(tmp_path / "data", server) as stack:
        assert (stack.service.state.position, len(stack.service.state.users)) == (60, 0)
        answer = await stack.client.recommend("user-3")
        assert "store" not in {each.stage for each in answer.degraded}
        assert set(stack.service.state.users) == {key_of("user", "user-3")}
    assert_holds_the_log(tmp_path / "data", server)


async def test_answers_go_on_without_redis_and_say_whose_records_are_missing(
    tmp_path: Path, server: RedisProcess
) -> None:
    async with serving(tmp_path / "data", server) as stack:
        await stack.client.report([event(number) for number in range(60)])
    async with serving(tmp_path / "data", server) as stack:
        await stack.client.report([event(60, user_id="user-1")])
        server.kill()
        known, other = await stack.client.recommend("user-1"), await stack.client.recommend("user-2")
        assert len(known.rooms) == len(other.rooms) == STREAMERS
        assert "store" not in {each.stage for each in known.degraded}
        missing = next(each for each in other.degraded if each.stage == "store")
        assert missing.cause.startswith(f"{server.address}: expected a readable and writable store: ")

        # Whoever is in memory can go on; the others' events wait, unacknowledged.
        assert (await stack.client.report([event(61, user_id="user-1")]))[0].event_id == "e61"
        with pytest.raises(grpc.aio.AioRpcError, match="expected a readable and writable store"):
            await stack.client.report([event(62, user_id="user-2")])


@pytest.mark.parametrize("old", [False, True], ids=["empty", "older"])
async def test_a_redis_that_comes_back_without_its_records_is_filled_again_from_the_log(
    tmp_path: Path, server: RedisProcess, *, old: bool
) -> None:
    async with serving(tmp_path / "data", server) as stack:
        await stack.client.report([event(number) for number in range(60)])
        await checkpointed(stack.service, tmp_path / "data", server)
        if old:
            server.command("SAVE")
    async with serving(tmp_path / "data", server) as stack:  # Nobody is in memory now, so only the log has it all.
        await stack.client.report([event(number, user_id="user-1") for number in range(60, 70)])
        await checkpointed(stack.service, tmp_path / "data", server)
        server.kill()
        await stack.client.report([event(number, user_id="user-1") for number in range(70, 80)])
        server.start()
        await checkpointed(stack.service, tmp_path / "data", server)
        assert_holds_the_log(tmp_path / "data", server)

        # And it goes on.
        await stack.client.report([event(number) for number in range(80, 100)])
        await checkpointed(stack.service, tmp_path / "data", server)
        assert_holds_the_log(tmp_path / "data", server)


async def test_a_room_that_ended_before_redis_was_lost_does_not_come_back_with_it(
    tmp_path: Path, server: RedisProcess
) -> None:
    now_ms, start_ms = [wall_clock()], wall_clock()
    async with running(tmp_path / "data", more=stored_in(server), now_ms=lambda: now_ms[0]) as stack:
        await stack.client.report([event(number) for number in range(STREAMERS)])
        await stack.client.report([event(9, EventKind.ENTER)])
        now_ms[0] = start_ms + 3 * 3_600_000
        assert len(list(stack.service.live.sweep(now_ms[0]))) == STREAMERS
        await checkpointed(stack.service, tmp_path / "data", server)
        server.kill()
        server.start()
        await checkpointed(stack.service, tmp_path / "data", server)
        fresh = Event("fresh", EventKind.ROOM_STARTED, now_ms[0], room_id="new/1", streamer_id="new", lease_ms=60_000)
        await stack.client.report([fresh])
        await checkpointed(stack.service, tmp_path / "data", server)
    store = open_store(lean_settings(stored_in(server)).store, tmp_path / "data", stack.service.state.dtypes)
    assert set(store.load_live().rooms) == {key_of("room", "new/1")}
    store.close()


@pytest.mark.parametrize("old", [False, True], ids=["empty", "older"])
@pytest.mark.parametrize("parts", [False, True], ids=["at once", "by parts"])
async def test_a_service_starts_from_the_log_on_a_redis_that_has_lost_its_records(
    tmp_path: Path, server: RedisProcess, monkeypatch: pytest.MonkeyPatch, *, old: bool, parts: bool
) -> None:
    data = tmp_path / "data"
    for first in (0, 60):
        async with serving(data, server) as stack:
            await stack.client.report([event(number) for number in range(first, first + 60)])
        if old and not first:
            server.command("SAVE")
    server.kill()
    server.start()
    if parts:
        monkeypatch.setattr(boot, "CHECKPOINT_EVERY", 50)
    async with serving(data, server, checkpoint_s=60) as stack:
        assert stack.service.state.position == 120
        assert len(stack.service.live.rows(wall_clock())) == STREAMERS
        # By parts, all is in the store already, and need not be in memory at a time.
        store = open_store(lean_settings(stored_in(server)).store, data, stack.service.state.dtypes)
        assert store.position == (120 if parts else 60 if old else 0)
        store.close()
        assert len(stack.service.state.users) == (0 if parts else USERS)
    assert_holds_the_log(data, server)


async def test_an_emptied_redis_is_refused_when_the_log_does_not_reach_back(
    tmp_path: Path, server: RedisProcess
) -> None:
    data = tmp_path / "data"
    log = LocalLog.open(data / LOG_FOLDER, base=40)
    log.append([event(0)])
    log.close()
    with pytest.raises(Exception, match=r"expected a position of 40 \(the log's first\) or more, received 0"):
        async with serving(data, server):
            pass


async def test_what_was_acknowledged_while_redis_died_under_load_is_there_once(
    tmp_path: Path, server: RedisProcess
) -> None:
    data, acknowledged, numbers = tmp_path / "data", set[str](), itertools.count(STREAMERS)
    done = asyncio.Event()

    async def report(client: Any) -> None:
        while not done.is_set():
            batch = [event(next(numbers)) for _ in range(5)]
            while not {each.event_id for each in batch} <= acknowledged:
                try:
                    acknowledged.update(result.event_id for result in await client.report(batch))
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017
                await asyncio.sleep(0.01)

    async def ask(client: Any) -> None:
        while not done.is_set():
            assert len((await client.recommend("user-1")).rooms) == STREAMERS
            await asyncio.sleep(0.01)

    async with serving(data, server) as stack:
        await stack.client.report([event(number) for number in range(STREAMERS)])
        working = [asyncio.create_task(each(stack.client)) for each in (report, report, ask)]
        for wanted in (100, 200, 300):  # Killed twice on the way.

            async def enough(wanted: int = wanted) -> bool:
                return len(acknowledged) >= wanted or any(task.done() for task in working)

            await eventually(enough, PATIENCE_S)
            if wanted < 300:
                server.kill()
                server.start()
        done.set()
        await asyncio.gather(*working)
        await checkpointed(stack.service, data, server)
    logged = [each.event_id for _, each in read_log(data / LOG_FOLDER, 0)]
    assert len(logged) == len(set(logged))
    assert acknowledged <= set(logged)
    assert_holds_the_log(data, server)
