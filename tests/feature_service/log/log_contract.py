"""What every event log does, wherever it is: the same tests for each, as a class that knows how to open one."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import pytest

from feature_service.features.events import Event, EventKind
from feature_service.log.protocol import EventLog, LogError
from tests.feature_service.event_streams import START_MS, event

EVENTS = [event(EventKind.ENTER, at_s, event_id=f"e{at_s}", received_ms=START_MS + at_s * 1000) for at_s in range(20)]


class LogContract(ABC):
    """The tests; a subclass gives the log."""

    SINCE_GRAIN = 0
    """So many events too early a position of `since` may be."""

    @abstractmethod
    def opened(self) -> EventLog:
        """The test's log, opened for writing: empty at first, afterwards as it was left."""

    @abstractmethod
    def forget(self, log: EventLog) -> int:
        """Drops the oldest events of a log, as retention does; returns the first position that is left."""

    @pytest.fixture
    def log(self) -> Iterator[EventLog]:
        log = self.opened()
        yield log
        log.close()

    async def test_events_are_read_as_they_were_written(self, log: EventLog) -> None:
        assert list(log.read(0)) == []
        assert log.append(EVENTS[:2]) == 2
        assert log.append(EVENTS[2:3]) == 3
        await log.durable(3)
        assert await read(log, 0) == list(enumerate(EVENTS[:3]))
        assert await read(log, 2) == [(2, EVENTS[2])]
        assert await read(log, 3) == []

    async def test_a_new_process_goes_on_where_the_last_one_stopped(self) -> None:
        log = self.opened()
        log.append(EVENTS[:3])
        log.close()
        log = self.opened()
        assert log.position == 3
        assert log.append(EVENTS[3:4]) == 4
        await log.durable(4)
        assert await read(log, 0) == list(enumerate(EVENTS[:4]))
        log.close()

    async def test_a_position_behind_the_end_is_refused(self, log: EventLog) -> None:
        with pytest.raises(LogError, match="expected a position up to 0, received 7"):
            await read(log, 7)

    async def test_nobody_waits_for_an_event_that_was_never_written(self, log: EventLog) -> None:
        log.append(EVENTS)
        with pytest.raises(LogError, match=f"expected a position up to {len(EVENTS)}, received {len(EVENTS) + 1}"):
            await log.durable(len(EVENTS) + 1)

    async def test_many_wait_at_a_time_and_each_is_told(self, log: EventLog) -> None:
        await asyncio.gather(*(log.durable(log.append([each])) for each in EVENTS))
        assert await read(log, 0) == list(enumerate(EVENTS))

    async def test_a_waiter_that_gives_up_leaves_the_others(self, log: EventLog) -> None:
        position = log.append(EVENTS[:1])
        waiters = [asyncio.ensure_future(log.durable(position)) for _ in range(2)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        await waiters[1]
        assert waiters[0].cancelled()

    async def test_an_event_that_is_too_large_leaves_nothing_of_its_batch(self, log: EventLog) -> None:
        large = EVENTS[1]._replace(title="x" * (5 << 20))
        with pytest.raises(LogError, match=r"event 'e1': expected at most .* bytes, received 5"):
            log.append([EVENTS[0], large, EVENTS[2]])
        assert log.append(EVENTS[3:4]) == 1
        await log.durable(1)
        assert await read(log, 0) == [(0, EVENTS[3])]

    async def test_since_finds_a_position_before_what_was_received_then(self, log: EventLog) -> None:
        await write(log)
        for second in range(len(EVENTS)):
            found = await asyncio.to_thread(log.since, START_MS + second * 1000)
            assert max(second - self.SINCE_GRAIN, 0) <= found <= second
        assert log.since(0) == 0

    async def test_since_is_the_begin_of_an_empty_log(self, log: EventLog) -> None:
        assert log.since(START_MS) == 0

    async def test_a_position_that_retention_has_dropped_is_refused(self, log: EventLog) -> None:
        await write(log)
        first = self.forget(log)
        assert await read(log, first) == list(enumerate(EVENTS))[first:]
        with pytest.raises(LogError, match=rf"expected a position of {first} \(the log's first\) or more, received 1"):
            await read(log, 1)
        assert log.since(0) == first


async def write(log: EventLog) -> None:
    """All events, one at a time."""
    for each in EVENTS:
        log.append([each])
    await log.durable(len(EVENTS))


async def read(log: EventLog, position: int) -> Sequence[tuple[int, Event]]:
    """All events from a position on."""
    return await asyncio.to_thread(lambda: list(log.read(position)))
