"""Kafka, or the service that writes to it, is killed under load: what was acknowledged is in the topic, once."""

import asyncio
import itertools
import subprocess
import sys
from pathlib import Path

import grpc.aio
import pytest

from feature_service import settings
from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.features.events import Event
from feature_service.features.state import State
from feature_service.log import kafka
from feature_service.log.kafka_topic import KafkaTopic
from feature_service.log.protocol import LogError
from tests.clusters.kafka_broker import KafkaBroker
from tests.faults.reporters import ROOMS, SETTINGS, Reporters, assert_nothing_lost, killed_under_load
from tests.feature_service.event_streams import contents
from tests.feature_service.running_service import PATIENCE_S, lean_settings, running
from tests.stack.running_stack import eventually
from tests.stack.service_process import ServiceProcess

SOON_S = 1.0
"""So long a report waits for a broker that is away."""


def logged_at(address: str) -> str:
    """The settings of a service whose log is a topic."""
    return f'[log]\naddress = "{address}"\n'


class Load:
    """Reports batches, each again until it is acknowledged, and asks for slates meanwhile."""

    def __init__(self, client: FeatureServiceClient) -> None:
        self._client = client
        self._numbers = itertools.count(ROOMS)
        self._done = asyncio.Event()
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.answers = 0

    async def __aenter__(self) -> "Load":
        await self._client.report([Reporters.event(number) for number in range(ROOMS)])
        self._tasks = [asyncio.create_task(each()) for each in (self._report, self._report, self._ask)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done.set()
        await asyncio.gather(*self._tasks)

    async def reaches(self, acknowledged: int = 0, refused: int = 0, answers: int = 0) -> None:
        """Waits for so many acknowledged events, refused reports, and answers."""

        async def reached() -> bool:
            assert not any(task.done() for task in self._tasks)
            return len(self.acknowledged) >= acknowledged and self.refused >= refused and self.answers >= answers

        await eventually(reached, PATIENCE_S)

    async def _report(self) -> None:
        while not self._done.is_set():
            batch = [Reporters.event(next(self._numbers)) for _ in range(5)]
            while not {each.event_id for each in batch} <= self.acknowledged:
                await self._report_once(batch)
                await asyncio.sleep(0.01)

    async def _report_once(self, batch: list[Event]) -> None:
        try:
            self.acknowledged.update(result.event_id for result in await self._client.report(batch))
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017
            self.refused += 1

    async def _ask(self) -> None:
        while not self._done.is_set():
            assert (await self._client.recommend("user-1")).rooms
            self.answers += 1
            await asyncio.sleep(0.01)


async def test_what_was_acknowledged_while_the_broker_was_killed_under_load_is_there_once(
    tmp_path: Path, broker: KafkaBroker, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "ANSWER_S", SOON_S)
    async with running(tmp_path, more=logged_at(address)) as stack:
        async with Load(stack.client) as load:
            for wanted in (100, 200):
                await load.reaches(acknowledged=wanted)
                broker.kill()
                await load.reaches(refused=load.refused + 3, answers=load.answers + 10)
                await asyncio.to_thread(broker.start)
            await load.reaches(acknowledged=300)
        logged = await asyncio.to_thread(lambda: [event for _, event in KafkaTopic(address).read(0)])
        assert len(logged) == len({each.event_id for each in logged}) == stack.service.state.position
        assert load.acknowledged <= {each.event_id for each in logged}
        state = State(stack.service.catalog.memories)
        for event in logged:
            state.apply(event)
        assert contents(state) == contents(stack.service.state)


async def test_a_service_that_was_killed_under_load_goes_on_from_the_topic(tmp_path: Path, address: str) -> None:
    reporters, more = Reporters(), SETTINGS + logged_at(address)
    for wanted in (500, 1_000):
        await killed_under_load(tmp_path, reporters, wanted, more)
    async with booted(settings.parse(more, "the test"), tmp_path / "data", []) as service:
        await assert_nothing_lost(service, reporters, lambda: KafkaTopic(address).read(0))


async def test_a_service_whose_topic_somebody_else_writes_ends_and_takes_up_the_topic_when_started_again(
    tmp_path: Path, address: str
) -> None:
    process = ServiceProcess(tmp_path / "one", settings=SETTINGS + logged_at(address))
    async with FeatureServiceClient(process.target, PATIENCE_S) as client:
        await client.report([Reporters.event(number) for number in range(ROOMS)])
        async with running(tmp_path / "two", more=logged_at(address)) as two:
            await two.client.report([Reporters.event(ROOMS)])
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await client.report([Reporters.event(ROOMS + 1)])
    status, line = await asyncio.to_thread(process.ended)
    assert status == 2
    assert line == (
        f"serve: {address}: expected an event at offset {ROOMS}, but it went to {ROOMS + 1}: somebody else writes this "
        "topic; start the service again, it goes on from what is in the log"
    )
    async with running(tmp_path / "one" / "data", more=logged_at(address)) as one:
        # What was refused is in the topic, as it may be; reported again, it is known.
        assert one.service.state.position == ROOMS + 2
        again = await one.service.report([Reporters.event(ROOMS + 1)])
        assert [each.acceptance for each in again] == ["duplicate"]


def test_a_service_without_a_broker_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(logged_at("kafka://127.0.0.1:1/events"))
    command = [sys.executable, "-m", "feature_service", "serve", "--data", str(tmp_path / "data")]
    command += ["--settings", str(tmp_path / "settings.toml"), "--address", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    said = "serve: kafka://127.0.0.1:1/events: expected a broker that answers, received nothing in 10 s: 127.0.0.1:1/"
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, line[: len(said)]) == (2, said)
    assert "Connection refused" in line


async def test_a_service_of_a_topic_that_was_made_again_does_not_start_on_the_old_store(
    tmp_path: Path, broker: KafkaBroker, address: str
) -> None:
    async with running(tmp_path, more=logged_at(address)) as stack:
        await stack.client.report([Reporters.event(number) for number in range(ROOMS)])
    name = address.rpartition("/")[2]
    broker.admin.delete_topics([name])[name].result()
    with pytest.raises(LogError, match="expected a new folder or the one of the topic"):
        async with booted(lean_settings(logged_at(broker.topic(name))), tmp_path, []):
            pass
