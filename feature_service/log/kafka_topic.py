"""A Kafka topic as a log: one partition, in which an event's position is its offset; and how it is read.

Offsets count events only as long as nothing else takes one. So the topic is written by one idempotent producer without
transactions, whose marks would take offsets, and is not compacted, which would take events.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from feature_service.features.events import Event
from feature_service.log.codec import EVENTS
from feature_service.log.kafka_client import ANSWER_S, KafkaClients, reason
from feature_service.log.protocol import LogError

_BATCH = 500
_WAIT_S = 0.2
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Described:
    """What a topic is.

    Attributes:
        id: Of the cluster and the topic: one that was deleted and made again has another.
        most_bytes: The largest batch that it takes.
        keeps_days: An event may stay for so long, by `retention.ms` and `segment.ms`; None = for good.
        sure_copies: At least so many brokers have what is acknowledged, by `min.insync.replicas`.
    """

    id: str
    most_bytes: int
    keeps_days: float | None
    sure_copies: int


class KafkaTopic:
    """A topic; reads it, each time by a connection of its own."""

    def __init__(self, address: str) -> None:
        """Connects to nothing yet; see `KafkaClients`."""
        self.clients = KafkaClients(address)

    def __str__(self) -> str:
        return str(self.clients)

    def describe(self) -> Described:
        """What the topic is, once it can be a log.

        Raises:
            LogError: No broker answers, there is no such topic, or it is not as a log's must be.
        """
        with self.clients.told():
            admin = self.clients.admin()
            try:
                cluster = admin.describe_cluster(request_timeout=ANSWER_S).result().cluster_id
                topic = self._topic(admin)
                options = self._options(admin)
            finally:
                admin.poll(0)  # Tells what it has met.
        if "compact" in options["cleanup.policy"]:
            raise LogError(
                f"{self}: expected cleanup.policy=delete, received {options['cleanup.policy']}: compaction takes "
                "events out, and a position is the number of events before it"
            )
        keeps_ms = int(options["retention.ms"])
        return Described(
            id=f"{cluster}/{topic.topic_id}",
            most_bytes=int(options["max.message.bytes"]),
            keeps_days=None if keeps_ms < 0 else (keeps_ms + int(options["segment.ms"])) / _DAY_MS,
            sure_copies=int(options["min.insync.replicas"]),
        )

    def span(self) -> tuple[int, int]:
        """The positions of the first event and behind the last.

        Raises:
            LogError: The topic cannot be read.
        """
        with self._consumer() as consumer:
            return _span(consumer, self.clients)

    def since(self, received_ms: int) -> int:
        """See `EventLog`.

        Raises:
            LogError: The topic cannot be read.
        """
        place = self.clients.library.TopicPartition(self.clients.topic, 0, max(received_ms, 0))
        with self._consumer() as consumer, self.clients.told():
            offset = consumer.offsets_for_times([place], ANSWER_S)[0].offset
            return offset if offset >= 0 else _span(consumer, self.clients)[1]

    def read(self, position: int) -> Iterator[tuple[int, Event]]:
        """The events from a position to the end as it is now; see `EventLog`."""
        reader = KafkaReader(self, position)
        try:
            yield from reader.poll()
        finally:
            reader.close()

    def _topic(self, admin: Any) -> Any:
        library, name = self.clients.library, self.clients.topic
        asked = admin.describe_topics(library.TopicCollection([name]), request_timeout=ANSWER_S)
        try:
            found = asked[name].result()
        except library.KafkaException as error:
            if error.args[0].code() == library.KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogError(f"{self}: expected a topic with one partition, found no topic of that name") from None
            raise
        if len(found.partitions) != 1:
            raise LogError(
                f"{self}: expected a topic with one partition, received {len(found.partitions)}: one process writes "
                "it, several need Flink's keyed operators"
            )
        return found

    def _options(self, admin: Any) -> dict[str, str]:
        resource = self.clients.library.admin.ConfigResource("topic", self.clients.topic)
        found = admin.describe_configs([resource], request_timeout=ANSWER_S)[resource].result()
        return {name: entry.value for name, entry in found.items()}

    @contextmanager
    def _consumer(self) -> Generator[Any]:
        consumer = self.clients.consumer()
        try:
            yield consumer
        finally:
            consumer.close()


class KafkaReader:
    """A place in a topic, from which a follower reads on whenever it likes; see `RecordReader`."""

    def __init__(self, topic: KafkaTopic, position: int) -> None:
        """Goes to an event.

        Raises:
            LogError: The topic cannot be read, or does not have the position.
        """
        self._clients = topic.clients
        self._position = position
        self._consumer = self._clients.consumer()
        try:
            self._end()
            self._consumer.assign([self._clients.library.TopicPartition(self._clients.topic, 0, position)])
        except BaseException:
            self.close()
            raise

    def poll(self) -> Iterator[tuple[int, Event]]:
        """The events that are there by now, each with its position.

        Raises:
            LogError: The topic cannot be read, does not have the position any more, or holds something else.
        """
        end, silent_s = self._end(), 0.0
        while self._position < end:
            with self._clients.told():
                messages = self._consumer.consume(min(_BATCH, end - self._position), _WAIT_S)
            silent_s = 0.0 if messages else silent_s + _WAIT_S
            if silent_s > ANSWER_S:
                raise LogError(f"{self._clients}: expected events up to position {end}, received no answer")
            for message in messages:
                if self._is_event(message):
                    self._position += 1
                    yield self._position - 1, self._event(message)

    def close(self) -> None:
        """Closes the connection."""
        self._consumer.close()

    def _end(self) -> int:
        """The position behind the last event, once the present one is known to be there."""
        first, end = _span(self._consumer, self._clients)
        if self._position < first:
            raise LogError(
                f"{self._clients}: expected a position of {first} (the log's first) or more, received {self._position}"
            )
        if self._position > end:
            raise LogError(f"{self._clients}: expected a position up to {end}, received {self._position}")
        return end

    def _is_event(self, message: Any) -> bool:
        """Whether it is the next event; else it is word of an end that was reached earlier."""
        error, errors = message.error(), self._clients.library.KafkaError
        at_end = error is not None and error.code() == errors._PARTITION_EOF
        if error is not None and not at_end:
            raise LogError(f"{self._clients}: expected the event at {self._position}: {reason(error)}")
        if message.offset() > self._position:
            raise LogError(
                f"{self._clients}: expected the event at {self._position}, found offset {message.offset()} behind it: "
                "only the service may write this topic, without transactions"
            )
        return not at_end

    def _event(self, message: Any) -> Event:
        try:
            return EVENTS.from_bytes(message.value() or b"")
        except (DecodeError, ValueError) as error:
            raise LogError(f"{self._clients}: expected an onair.v1.Event at {message.offset()}: {error}") from None


def _span(consumer: Any, clients: KafkaClients) -> tuple[int, int]:
    place = clients.library.TopicPartition(clients.topic, 0)
    with clients.told():
        return consumer.get_watermark_offsets(place, ANSWER_S)
