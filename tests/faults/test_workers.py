"""`serve --workers`: several processes on one port, one of which owns log and store. Real processes, and kills."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from feature_service.boot import LOG_FOLDER
from feature_service.clock import wall_clock
from feature_service.convert import event_to_proto
from feature_service.features.events import Event, EventKind
from feature_service.log.reader import read_log
from protos.onair.v1 import recommendation_pb2 as pb
from protos.onair.v1 import recommendation_pb2_grpc as pb_grpc
from tests.stack.running_stack import PATIENCE_S, eventually
from tests.stack.service_process import ServiceProcess

pytestmark = pytest.mark.slow

SETTINGS = '[service]\ncontent_width = 2\n[scene]\nranker = ""\n'
CALLS = 24
"""Connections: that all of them meet one of three processes has a chance of 3 to the power of −23."""


@asynccontextmanager
async def connected(target: str) -> AsyncGenerator[Any]:
    """A connection of its own, for which the system chooses a process."""
    async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield pb_grpc.RecommendationServiceStub(channel)


def entered(number: int) -> Event:
    return Event(
        f"e{number}", EventKind.ENTER, wall_clock(), user_id=f"u{number}", room_id="anna/1", streamer_id="anna"
    )


async def report(target: str, event: Event) -> int:
    """Reports an event over a new connection; returns what became of it."""
    async with connected(target) as stub:
        request = pb.ReportEventsRequest(events=[event_to_proto(event)])
        return (await stub.ReportEvents(request, timeout=PATIENCE_S)).results[0].acceptance


async def positions(target: str) -> list[int]:
    """The log position that answers over new connections include."""
    found: list[int] = []
    for _ in range(CALLS):
        async with connected(target) as stub:
            request = pb.RecommendRequest(user_id="u0", k=1, scene="home")
            found.append((await stub.Recommend(request, timeout=PATIENCE_S)).log_position)
    return found


def workers_of(service: ServiceProcess) -> list[int]:
    """The process ids of its workers."""
    return [int(pid) for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[ServiceProcess]:
    """Three processes that all answer, with one room on air."""
    with await asyncio.to_thread(ServiceProcess, folder, "--workers", "3", settings=SETTINGS) as service:
        started = Event("start", EventKind.ROOM_STARTED, wall_clock(), room_id="anna/1", streamer_id="anna")
        assert await report(service.target, started) == pb.ACCEPTED
        await eventually(lambda: _all_answer(service))
        yield service


async def _all_answer(service: ServiceProcess) -> bool:
    folders = [service.data / "workers" / str(number) / "served" for number in (1, 2)]
    await positions(service.target)
    return all(folder.exists() and any(each.stat().st_size for each in folder.glob("*.log")) for folder in folders)


async def test_reports_to_any_process_are_in_the_log_once_and_all_processes_answer_by_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        taken = [await report(service.target, entered(number)) for number in range(CALLS)]
        again = [await report(service.target, entered(number)) for number in range(CALLS)]
        count = CALLS + 1

        async def seen() -> bool:
            return set(await positions(service.target)) == {count}

        await eventually(seen)
        assert service.stop() == 0
    assert (set(taken), set(again)) == ({pb.ACCEPTED}, {pb.DUPLICATE})
    logged = [event.event_id for _, event in read_log(service.data / LOG_FOLDER, 0)]
    assert sorted(logged) == sorted(["start", *(f"e{number}" for number in range(CALLS))])


async def test_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        before = workers_of(service)
        os.kill(before[0], signal.SIGKILL)

        async def replaced() -> bool:
            return len(workers_of(service)) == 2 and before[0] not in workers_of(service)

        await eventually(replaced)
        await eventually(lambda: _all_answer(service))


async def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        workers = workers_of(service)
        assert len(workers) == 2
        service.kill()

        async def gone() -> bool:
            return not any(map(lives, workers))

        await eventually(gone)


@pytest.mark.parametrize(
    "more", [["--workers", "0"], ["--workers", "2", "--as-of", "log"], ["--workers", "2", "--replica-of", "unix:x"]]
)
def test_workers_where_there_can_be_none_are_refused(tmp_path: Path, more: list[str]) -> None:
    with pytest.raises(AssertionError, match="--workers: expected 1 or more, and no --replica-of and --as-of"):
        ServiceProcess(tmp_path, *more, settings=SETTINGS)
