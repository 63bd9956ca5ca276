"""A replica answers what the writer would, a moment later, and takes reports in its name. Real Redis, real gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feature_service import remote_writer
from feature_service.boot import LOG_FOLDER
from feature_service.clock import NowMs, wall_clock
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.live.table import LiveTable
from feature_service.log.protocol import LogError
from feature_service.log.reader import read_log
from feature_service.replica import Replica
from feature_service.replica_boot import booted_replica
from feature_service.service import FeatureService
from feature_service.settings import SettingsError
from feature_service.stores import redis
from feature_service.stores.protocol import StoreError
from feature_service.stores.redis_follower import RedisFollower
from feature_service.writer import Result
from tests.feature_service.event_streams import contents
from tests.feature_service.redis_process import RedisProcess, made, needs_redis
from tests.feature_service.running_service import Running, lean_settings, running, running_replica
from tests.stack.running_stack import Clock, eventually

pytestmark = needs_redis

SOON_S = 1.0
"""So soon a room that starts is in the answers of all, and one that ends in none."""


Change = Callable[[FeatureService], FeatureService]


@dataclass(frozen=True, slots=True)
class Pair:
    """A writer and a replica of it."""

    writer: Running
    replica: Running

    async def level(self) -> None:
        """Waits until the replica is where the writer is."""

        async def stands() -> bool:
            return self.replica.service.state.position == self.writer.service.state.position

        await eventually(stands)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path / "redis") as server:
        yield server


def stored_in(server: RedisProcess) -> str:
    return f'[store]\naddress = "{server.address}"\n'


@asynccontextmanager
async def paired(
    folder: Path, server: RedisProcess, now_ms: NowMs = wall_clock, change: Change = lambda service: service
) -> AsyncIterator[Pair]:
    """Both on one clock, with one event in the log; `change` is the writer's, see `running`."""
    more = stored_in(server)
    async with running(folder / "writer", more=more, now_ms=now_ms, change=change) as writer:
        await writer.client.report(
            [event("first", EventKind.USER_UPDATED, room_id="", streamer_id="", user_id="viewer")]
        )
        await made(server)
        async with running_replica(folder / "replica", writer, more=more, now_ms=now_ms) as replica:
            yield Pair(writer, replica)


@pytest.fixture
async def pair(tmp_path: Path, server: RedisProcess) -> AsyncIterator[Pair]:
    async with paired(tmp_path, server) as pair:
        yield pair


def event(event_id: str, kind: EventKind, **fields: Any) -> Event:
    """An event of the room `anna/1`; rooms have a lease of an hour."""
    room: dict[str, Any] = {"room_id": "anna/1", "streamer_id": "anna"} | fields
    return Event(event_id, kind, wall_clock(), lease_ms=3_600_000, **room)


def started(streamer: str, **fields: Any) -> Event:
    """The first room of a streamer goes on air."""
    return event(f"start {streamer}", EventKind.ROOM_STARTED, room_id=f"{streamer}/1", streamer_id=streamer, **fields)


async def shown(stack: Running, rooms: list[str]) -> None:
    """Waits until just these rooms are shown, but not for longer than they may take."""

    async def are_shown() -> bool:
        return sorted(room.room_id for room in (await stack.client.recommend("someone")).rooms) == rooms

    await eventually(are_shown, SOON_S)


@pytest.mark.parametrize("end", [EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED])
async def test_a_room_is_shown_by_a_replica_within_a_second_and_gone_within_another(pair: Pair, end: EventKind) -> None:
    await pair.writer.client.report([started("anna")])
    await shown(pair.replica, ["anna/1"])
    await pair.writer.client.report([event("end", end)])
    await shown(pair.replica, [])


async def test_a_room_ends_at_a_replica_with_its_lease_though_no_change_comes_any_more(
    tmp_path: Path, server: RedisProcess
) -> None:
    clock = Clock()
    async with paired(tmp_path, server, clock) as pair:
        await pair.writer.client.report([started("anna")])
        await shown(pair.replica, ["anna/1"])
        server.kill()
        clock.ahead_ms = 3_600_000
        await shown(pair.replica, [])


async def test_what_a_user_does_is_in_the_features_of_a_replica_that_knew_the_user_before(
    tmp_path: Path, server: RedisProcess
) -> None:
    now_ms = wall_clock()  # Stands, so that two services compute the same.
    async with paired(tmp_path, server, lambda: now_ms) as pair:
        await pair.writer.client.report([started("anna")])
        await pair.level()
        before = await pair.replica.client.features("viewer", ["anna/1"])
        await pair.writer.client.report([event("like", EventKind.LIKE, user_id="viewer")])
        await pair.level()
        after = await pair.replica.client.features("viewer", ["anna/1"])
        assert after.log_position == before.log_position + 1
        assert after.tensors != before.tensors
        assert after == await pair.writer.client.features("viewer", ["anna/1"])


STREAMERS = [f"streamer-{number}" for number in range(6)]
KINDS = (EventKind.ENTER, EventKind.LIKE, EventKind.FOLLOW, EventKind.GIFT, EventKind.SHARE)


def crowd(from_ms: int) -> list[Event]:
    """Rooms that start, and what viewers do in them, one event every 40 ms: some rooms are visited more than others."""
    starts = [started(streamer, category="music") for streamer in STREAMERS]
    visits = [_visit(number) for number in range(300)]
    return [each._replace(time_ms=from_ms + 40 * number) for number, each in enumerate(starts + visits)]


def _visit(number: int) -> Event:
    streamer = STREAMERS[min(number % 11, number % 7, 5)]
    fields: dict[str, Any] = {"room_id": f"{streamer}/1", "streamer_id": streamer, "gift_value": number / 7}
    return event(f"visit {number}", KINDS[number % 5], user_id=f"user-{number % 13}", **fields)


async def test_a_replica_answers_the_same_bytes_at_the_same_position(tmp_path: Path, server: RedisProcess) -> None:
    now_ms = [wall_clock()]
    async with paired(tmp_path, server, lambda: now_ms[0]) as pair:
        events = crowd(now_ms[0] - 60_000)
        for first in range(0, len(events), 20):  # Some users are known to the replica early, and change all the time.
            await pair.writer.client.report(events[first : first + 20])
            await pair.replica.client.recommend(f"user-{first % 5}")
        await pair.level()
        now_ms[0] += 1_000  # What channels keep for half a second is out of date.
        for number in range(13):
            stacks, user = (pair.writer, pair.replica), f"user-{number}"
            asked = [stack.client.recommend(user, request_id=f"request {number}") for stack in stacks]
            expected, found = await asyncio.gather(*asked)
            assert len(found.rooms) == len(STREAMERS)
            assert found.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


async def test_a_gap_in_the_changes_makes_a_replica_read_all_anew(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await pair.writer.client.report([started("anna"), started("bert")])
    await pair.level()
    await pair.replica.client.recommend("viewer")  # Known to the replica, as nobody yet.
    await pair.writer.client.report([event("end", EventKind.ROOM_ENDED)])
    await pair.level()
    monkeypatch.setattr(redis, "MOST_NAMES", 0)  # No checkpoint names what it changes any more.
    more = [event("like", EventKind.LIKE, room_id="bert/1", streamer_id="bert", user_id="viewer"), started("carl")]
    await pair.writer.client.report(more)
    assert len(list(pair.writer.service.live.sweep(wall_clock() + 5_400_000))) == 1  # The room that has ended.
    await shown(pair.replica, ["bert/1", "carl/1"])
    assert contents(pair.replica.service.state) == contents(pair.writer.service.state)


async def test_a_room_is_embedded_anew_for_what_it_tells_of_itself_and_not_for_what_viewers_do(
    pair: Pair, server: RedisProcess
) -> None:
    catalog, changed = pair.writer.service.catalog, list[int]()
    state = State(catalog.memories)
    with closing(RedisFollower(server.address, "onair", state.dtypes)) as follower:
        replica = Replica(follower, state, LiveTable(state), catalog, changed.append, wall_clock)
        await replica.start()
        following = asyncio.create_task(replica.keep_following())
        visit = event("visit", EventKind.ENTER, user_id="viewer")
        told = [event("update", EventKind.ROOM_UPDATED, category="games"), event("end", EventKind.ROOM_ENDED)]
        for each, times in ((started("anna"), 1), (visit, 1), (told[0], 2), (told[1], 3)):
            await pair.writer.client.report([each])

            async def follows() -> bool:
                return state.position == pair.writer.service.state.position

            await eventually(follows)
            assert changed == times * [state.rooms.find(key_of("room", "anna/1"))]
        following.cancel()
        await asyncio.wait([following])


async def test_who_is_erased_is_nobody_to_a_replica_either(pair: Pair) -> None:
    await pair.writer.client.report([started("anna"), event("like", EventKind.LIKE, user_id="viewer")])
    await pair.level()
    await pair.replica.client.recommend("viewer")
    assert key_of("user", "viewer") in pair.replica.service.state.users
    erased = event("erase", EventKind.USER_ERASED, room_id="", streamer_id="", user_id="viewer")
    await pair.writer.client.report([erased])
    await pair.level()
    assert key_of("user", "viewer") not in pair.replica.service.state.users


async def test_an_answer_says_when_the_changes_cannot_be_read_and_goes_on_when_they_can(
    pair: Pair, server: RedisProcess
) -> None:
    await pair.writer.client.report([started("anna"), event("like", EventKind.LIKE, user_id="viewer")])
    await pair.level()
    await pair.replica.client.recommend("viewer")
    server.kill()

    async def missing(stage: str, *, is_missing: bool) -> bool:
        answer = await pair.replica.client.recommend("viewer")
        assert [room.room_id for room in answer.rooms][:1] == ["anna/1"]
        return is_missing == (stage in {each.stage for each in answer.degraded})

    await eventually(lambda: missing("changes", is_missing=True))
    await pair.writer.client.report([event("again", EventKind.LIKE, user_id="viewer")])
    server.start()  # Empty: the writer fills it again.
    await eventually(lambda: missing("changes", is_missing=False))
    await pair.level()
    assert contents(pair.replica.service.state) == contents(pair.writer.service.state)


async def test_a_report_to_a_replica_is_in_the_log_of_the_writer_when_it_is_acknowledged(
    pair: Pair, tmp_path: Path
) -> None:
    reported = [started("anna"), started("anna"), event("", EventKind.LIKE)]
    results = await pair.replica.client.report(reported)
    expected = await pair.writer.client.report(reported)
    assert [each.reason for each in results] == [each.reason for each in expected]
    assert [each.acceptance for each in results] == [1, 2, 4]
    assert "start anna" in {each.event_id for _, each in read_log(tmp_path / "writer" / LOG_FOLDER, 0)}
    await shown(pair.replica, ["anna/1"])


class _Disk:
    """A writer whose events are durable only when its disk lets them."""

    def __init__(self) -> None:
        self.turns = asyncio.Event()
        self.fails = False
        self.reported = asyncio.Event()

    def under(self, service: FeatureService) -> FeatureService:
        """The service with it."""
        self._writer = service.writer
        return replace(service, writer=self)

    async def report(self, reported: list[Event], now_ms: int) -> list[Result]:
        results = await self._writer.report(reported, now_ms)
        self.reported.set()
        await self.turns.wait()
        if self.fails:
            raise LogError("the disk is full")
        return results


async def test_a_replica_acknowledges_nothing_before_the_writer_does(tmp_path: Path, server: RedisProcess) -> None:
    disk = _Disk()
    disk.turns.set()
    async with paired(tmp_path, server, change=disk.under) as pair:
        disk.turns.clear()
        disk.reported.clear()
        forwarded = asyncio.create_task(pair.replica.client.report([started("anna")]))
        await disk.reported.wait()
        assert not forwarded.done()
        disk.fails = True
        disk.turns.set()
        with pytest.raises(grpc.aio.AioRpcError, match="the disk is full") as failure:
            await forwarded
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_without_a_writer_a_replica_answers_but_takes_no_reports(
    tmp_path: Path, server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_writer, "TIMEOUT_S", 0.5)
    more = stored_in(server)
    async with running(tmp_path / "writer", more=more) as writer:
        await writer.client.report([started("anna")])
    async with running_replica(tmp_path / "replica", writer, more=more) as replica:
        await shown(replica, ["anna/1"])
        with pytest.raises(grpc.aio.AioRpcError, match=f"the writer {writer.target}: DEADLINE_EXCEEDED") as failure:
            await replica.client.report([started("bert")])
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def _refusal(folder: Path, more: str, error: type[Exception]) -> str:
    with pytest.raises(error) as refusal:
        async with booted_replica(lean_settings(more), folder, [], "127.0.0.1:1"):
            pass
    return str(refusal.value)


async def test_a_replica_needs_a_redis_that_a_writer_keeps(tmp_path: Path, server: RedisProcess) -> None:
    assert await _refusal(tmp_path, "", SettingsError) == (
        "store.address: expected the Redis of the writer, which a replica follows, received none"
    )
    expected = f"{server.address}, prefix 'onair': expected a store that a writer keeps, received none"
    assert await _refusal(tmp_path, stored_in(server), StoreError) == expected
