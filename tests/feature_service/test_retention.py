"""Retention: an erased user leaves no trace, late events of theirs stay out, and what is too old goes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from feature_service.clock import wall_clock
from feature_service.erasures import SETTLED_MS
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.state import State
from feature_service.log.local import LocalLog
from feature_service.log.reader import read_log
from feature_service.log.record_log import RecordLog
from feature_service.log.segment import first_positions
from feature_service.replica_boot import ERASED_FILE
from feature_service.served.retention import DAY_MS
from feature_service.served.slate import SLATES
from feature_service.settings import SettingsError
from tests.feature_service.event_streams import contents
from tests.feature_service.redis_process import RedisProcess, made, needs_redis
from tests.feature_service.running_service import PATIENCE_S, Running, lean_settings, running, running_replica

ERASED, OTHER = "user-to-erase", "user-to-keep"


def happened(kind: EventKind, time_ms: int, user_id: str = ERASED, **fields: object) -> Event:
    room = {} if kind is EventKind.USER_ERASED else {"room_id": "room-1", "streamer_id": "streamer-1"}
    return Event(f"{kind.name}-{user_id}-{time_ms}", kind, time_ms, user_id, **room, **fields)  # pyright: ignore


async def reported(onair: Running, events: Sequence[Event]) -> list[str]:
    return [
        f"{each.acceptance} {each.reason}".strip()
        for each in await onair.service.writer.report(events, onair.service.now_ms())
    ]


def clock(later_ms: int = 0) -> int:
    return wall_clock() + later_ms


async def visited(onair: Running) -> None:
    """Both users watch, get an answer, and one of them is erased."""
    now_ms = onair.service.now_ms()
    room = Event("start", EventKind.ROOM_STARTED, now_ms - 3_000, room_id="room-1", streamer_id="streamer-1")
    await reported(onair, [room])
    for user_id in (ERASED, OTHER):
        enter = happened(EventKind.ENTER, now_ms - 2_000, user_id, device="phone", request_id=f"request-of-{user_id}")
        leave = happened(EventKind.LEAVE, now_ms - 1_000, user_id, watch_ms=1_000)
        assert await reported(onair, [enter, leave]) == ["accepted", "accepted"]
        await onair.client.recommend(user_id, k=1)
    assert await reported(onair, [happened(EventKind.USER_ERASED, now_ms - 500)]) == ["accepted"]


def files_with(folder: Path, text: str) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and _holds(path, text)]


def _holds(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except FileNotFoundError:  # Exchanged meanwhile.
        return True


async def gone(folder: Path, text: str) -> None:
    """Waits until no file holds a text."""
    async with asyncio.timeout(PATIENCE_S):
        while files_with(folder, text):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_erased_user_is_in_no_file_three_hours_later(tmp_path: Path) -> None:
    async with running(tmp_path) as onair:
        await visited(onair)
    assert "erasures.jsonl" in files_with(tmp_path, ERASED)
    assert any(name.startswith("log/") for name in files_with(tmp_path, ERASED))
    assert any(name.startswith("served/") for name in files_with(tmp_path, ERASED))
    async with running(tmp_path, now_ms=lambda: clock(SETTLED_MS)):
        await gone(tmp_path, ERASED)
    assert files_with(tmp_path, OTHER)


@needs_redis
async def test_an_erased_user_is_in_no_file_of_a_replica_either(tmp_path: Path) -> None:
    with RedisProcess(tmp_path / "redis") as server:
        more = f'[store]\naddress = "{server.address}"\n[retention]\nserved_days = 3.0\n'
        first, second = tmp_path / "writer", tmp_path / "replica"
        async with running(first, more=more) as writer:
            await made(server)
            async with running_replica(second, writer, more=more) as replica:
                await reported(writer, [happened(EventKind.ROOM_STARTED, clock(), "")])
                for user_id in (ERASED, OTHER):
                    await reported(writer, [happened(EventKind.ENTER, clock(), user_id)])
                    await shown(replica, user_id)
                await reported(writer, [happened(EventKind.USER_ERASED, clock())])
        assert [name.startswith("served/") for name in files_with(second, ERASED)] == [True]
        for _ in range(2):  # The second time there is nothing left to do.
            async with running(first, more=more, now_ms=lambda: clock(SETTLED_MS)) as writer:
                await made(server, "onair:erased")
                async with running_replica(second, writer, more=more, now_ms=lambda: clock(SETTLED_MS)):
                    await gone(second, ERASED)
        assert files_with(second, OTHER)
        assert (second / ERASED_FILE).read_text() == "4"  # A room, two visits, then the erasing event.


async def shown(onair: Running, user_id: str) -> None:
    """Waits until a user is shown a room: then it is in the served log."""
    async with asyncio.timeout(PATIENCE_S):
        while not (await onair.client.recommend(user_id, k=1)).rooms:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_rooms_keep_what_an_erased_user_did(tmp_path: Path) -> None:
    """The log without names leaves the records of rooms and streamers, and of everybody else, that it left before."""
    async with running(tmp_path) as onair:
        await visited(onair)
    before = replayed(tmp_path)
    async with running(tmp_path, now_ms=lambda: clock(SETTLED_MS)):
        await gone(tmp_path, ERASED)
    assert contents(replayed(tmp_path)) == contents(before)
    assert len(replayed(tmp_path).users) == 1


def replayed(data: Path) -> State:
    state = State(build_catalog(2, ()).memories)
    for _, event in read_log(data / "log", 0):
        state.apply(event)
    return state


async def test_nothing_from_before_the_erasure_comes_in_and_who_signs_up_again_is_welcome(tmp_path: Path) -> None:
    before_ms = clock(-60_000)
    refused = f"refused user_id: expected nothing from before '{ERASED}' was erased, received {before_ms}"
    async with running(tmp_path) as onair:
        await visited(onair)
        events = [happened(EventKind.SHARE, before_ms), happened(EventKind.SHARE, before_ms, OTHER)]
        assert await reported(onair, events) == [refused, "accepted"]
    async with running(tmp_path) as onair:
        assert await reported(onair, [happened(EventKind.LIKE, before_ms)]) == [refused]
        assert await reported(onair, [happened(EventKind.ENTER, clock())]) == ["accepted"]


async def test_an_erasure_that_is_reported_late_still_erases(tmp_path: Path) -> None:
    async with running(tmp_path) as onair:
        assert await reported(onair, [happened(EventKind.ENTER, clock())]) == ["accepted"]
        assert await reported(onair, [happened(EventKind.USER_ERASED, clock(-DAY_MS))]) == ["late"]
        assert len(onair.service.state.users) == 0


async def test_old_segments_leave_the_log_as_far_as_the_store_has_them(tmp_path: Path) -> None:
    for later_ms in (0, 10_000):
        async with running(tmp_path, now_ms=lambda later_ms=later_ms: clock(later_ms)) as onair:
            await visited(onair)
        begin_segments(tmp_path)
    segments = first_positions(tmp_path / "log"), first_positions(tmp_path / "served")
    assert [len(each) for each in segments] == [3, 3]
    keep = "[retention]\nlog_days = 1.0\nserved_days = 3.0\n"
    async with running(tmp_path, more=keep, now_ms=lambda: clock(2 * DAY_MS)) as onair:
        await reported(onair, [happened(EventKind.LIKE, clock(2 * DAY_MS))])
    begin_segments(tmp_path)
    async with running(tmp_path, more=keep, now_ms=lambda: clock(2 * DAY_MS)):
        async with asyncio.timeout(PATIENCE_S):
            while first_positions(tmp_path / "log")[0] == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    # Of the segment before the new one nobody knows without reading it how new its last event is.
    assert first_positions(tmp_path / "log")[0] == segments[0][-2]
    assert first_positions(tmp_path / "served")[:3] == segments[1]


def begin_segments(data: Path) -> None:
    """Ends the last segment of both logs, as their size would."""
    for log in (LocalLog.open(data / "log"), RecordLog.opened(data / "served", SLATES)):
        log.roll()
        log.close()


@pytest.mark.parametrize("days", [0.5, -1.0, 40_000.0])
def test_days_that_make_no_sense_are_refused(days: float) -> None:
    with pytest.raises(SettingsError, match=r"retention\.served_days: expected 0 or 1 to 36500 days, received"):
        lean_settings(f"[retention]\nserved_days = {days}\n")
