"""The Kafka log: writes events to a topic, and acknowledges them once every copy in sync has them."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from feature_service.features.events import Event
from feature_service.log.codec import EVENTS
from feature_service.log.kafka_client import ANSWER_S, reason
from feature_service.log.kafka_topic import Described, KafkaTopic
from feature_service.log.protocol import LogEndedError, LogError

MOST_WAITING = 100_000
"""Events that may be on their way at a time; more than a broker that answers leaves waiting for a second."""

_OVERHEAD_BYTES = 1024
_POLL_S = 0.2

_PRODUCING = {
    "enable.idempotence": True,  # What is sent twice is written once, in order.
    "acks": "all",
    # Never given up: an event that is in the state must be in the log, too, if this process lives on.
    "message.timeout.ms": 0,
    "enable.gapless.guarantee": True,
    "linger.ms": 2,
    "queue.buffering.max.messages": 2 * MOST_WAITING,
}

_logger = logging.getLogger(__name__)


class KafkaLog:
    """An `EventLog` in a topic.

    While no broker answers, events wait in memory for `ANSWER_S`, unacknowledged; then more are refused. Those that
    wait are written when it is back. An event that lands at another offset than expected shows another writer: from
    then on all are refused, and only a new process, which reads the log from its store's position, knows what is there.
    """

    def __init__(self, topic: KafkaTopic, described: Described, position: int) -> None:
        """Takes over what `open` has looked up."""
        self._topic = topic
        self._position = self._delivered = position
        self._most_bytes = described.most_bytes - _OVERHEAD_BYTES
        self._failure: LogEndedError | None = None
        self._progress_s = time.monotonic()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        limits = {"message.max.bytes": described.most_bytes, "batch.size": min(described.most_bytes // 2, 1_000_000)}
        self._producer = topic.clients.producer(_PRODUCING | limits)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve_reports, name="kafka-reports", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, address: str, base: int = 0) -> Self:
        """Opens a topic for writing.

        Args:
            address: `kafka://host:port/topic`.
            base: What the log must hold: the position of the store that is its view.

        Raises:
            ImportError: The client library is not installed.
            ValueError: The address is none.
            LogError: The topic cannot be a log, cannot be reached, or ends before the base.
        """
        topic = KafkaTopic(address)
        described = topic.describe()
        _, end = topic.span()
        if end < base:
            raise LogError(f"{topic}: expected a log up to position {base}, as the store has it, received one to {end}")
        stay = "for good" if described.keeps_days is None else f"for {described.keeps_days:g} days at most"
        _logger.info(
            "%s: %d brokers or more have what is acknowledged; events stay %s, those of erased users too",
            topic,
            described.sure_copies,
            stay,
        )
        return cls(topic, described, end)

    @property
    def position(self) -> int:
        """The position after the last event."""
        return self._position

    def append(self, events: Sequence[Event]) -> int:
        """Hands events to the producer, all or none; see `EventLog`."""
        self._check()
        payloads = [self._payload(event) for event in events]
        waiting = self._position - self._delivered
        if not waiting:
            self._progress_s = time.monotonic()
        if not self._patience_s() or waiting + len(events) > MOST_WAITING:
            raise LogError(f"{self._topic}: {waiting} events wait to be written already; no more are taken")
        for event, payload in zip(events, payloads, strict=True):
            self._produce(payload, event.received_ms or event.time_ms)
        return self._position

    async def durable(self, position: int) -> None:
        """Waits until every event before a position is acknowledged by all copies in sync; see `EventLog`."""
        if position > self._position:
            raise LogError(f"{self._topic}: expected a position up to {self._position}, received {position}")
        if self._delivered >= position:
            return
        self._check()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((position, waiter))
        # One that has come in between has woken nobody.
        self._wake()
        try:
            await asyncio.wait_for(waiter, self._patience_s())
        except TimeoutError:
            raise LogError(
                f"{self._topic}: no broker has acknowledged anything for {ANSWER_S:g} s; what was reported may be "
                "written yet, and is taken once when it is reported again"
            ) from None

    def read(self, position: int) -> Iterator[tuple[int, Event]]:
        """The acknowledged events from a position on; see `EventLog`."""
        return self._topic.read(position)

    def since(self, received_ms: int) -> int:
        """A position at or before what was received then; see `EventLog`."""
        return self._topic.since(received_ms)

    def close(self) -> None:
        """Waits for the events on their way, but not for ever, and lets go of the topic."""
        self._closing.set()
        self._thread.join()
        if self._failure is None and (left := self._serve(self._producer.flush, self._patience_s())):
            _logger.warning("%s: the last %d events were not acknowledged, and may be lost", self._topic, left)

    def _patience_s(self) -> float:
        """So long events may still wait for a broker, seconds; 0 when none has answered for too long."""
        if self._delivered == self._position:
            return ANSWER_S
        return max(ANSWER_S - (time.monotonic() - self._progress_s), 0.0)

    def _payload(self, event: Event) -> bytes:
        payload = EVENTS.to_bytes(event)
        if len(payload) > self._most_bytes:
            raise LogError(f"{EVENTS.name(event)}: expected at most {self._most_bytes} bytes, received {len(payload)}")
        return payload

    def _produce(self, payload: bytes, timestamp_ms: int) -> None:
        try:
            self._producer.produce(
                self._topic.clients.topic, payload, partition=0, timestamp=timestamp_ms, on_delivery=self._reported
            )
        except (self._topic.clients.library.KafkaException, BufferError) as error:
            raise self._fail(f"the producer refused: {error}") from None
        self._position += 1

    def _serve_reports(self) -> None:
        """Takes the delivery reports in, on a thread of its own."""
        while not self._closing.is_set():
            told = self._serve(self._producer.poll, _POLL_S)
            if (told or self._failure is not None) and (waiters := self._waiters):
                waiters[0][1].get_loop().call_soon_threadsafe(self._wake)

    def _serve(self, work: Callable[[float], int], timeout_s: float) -> int:
        """Lets the producer tell its reports, by `poll` or `flush`; 0 when it has given up, which is raised there."""
        try:
            return work(timeout_s)
        # Reports that are told while the error is raised already fail in the client's own code.
        except (self._topic.clients.library.KafkaException, SystemError) as error:
            if self._failure is None:
                self._fail(f"the producer has given up: {error}")
            return 0

    def _reported(self, error: Any, message: Any) -> None:
        """What became of the next event; reports come in the order of the events."""
        if self._failure is not None:
            return
        if error is not None:
            self._fail(f"event at {self._delivered} not written, or not known to be: {reason(error)}")
        elif message.offset() != self._delivered:
            self._fail(
                f"expected an event at offset {self._delivered}, but it went to {message.offset()}: somebody else "
                "writes this topic"
            )
        else:
            self._delivered += 1
            self._progress_s = time.monotonic()

    def _wake(self) -> None:
        """Tells those whose events are acknowledged, and all once the log has failed; on the event loop."""
        waiting: list[tuple[int, asyncio.Future[None]]] = []
        for position, waiter in self._waiters:
            if waiter.done():
                continue
            if self._delivered >= position:
                waiter.set_result(None)
            elif self._failure is not None:
                waiter.set_exception(self._failure)
            else:
                waiting.append((position, waiter))
        self._waiters = waiting

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _fail(self, why: str) -> LogEndedError:
        self._failure = LogEndedError(
            f"{self._topic}: {why}; start the service again, it goes on from what is in the log"
        )
        _logger.error("%s", self._failure)
        return self._failure
