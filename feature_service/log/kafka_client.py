"""Kafka clients: what all of them have in common, and their errors in the words of logs."""

import importlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from feature_service.log.kafka_properties import read_properties
from feature_service.log.protocol import LogError
from feature_service.log.settings import kafka_parts

ANSWER_S = 10.0
"""A broker of the same network answers in milliseconds, and a new leader is chosen within some seconds."""

PROPERTIES_VARIABLE = "ONAIR_KAFKA_PROPERTIES"
"""Names a file of further properties of the client (librdkafka's)."""

_READING = {
    "group.id": "onair",  # The client wants a name, though no group is ever joined.
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_uncommitted",
    "enable.partition.eof": True,
    "check.crcs": True,
    "fetch.wait.max.ms": 100,  # The end of a connection waits for its last answer.
}


def load_kafka() -> Any:
    """The client library; only who keeps the log in Kafka needs it.

    Raises:
        ImportError: It is not installed; says how to.
    """
    try:
        importlib.import_module("confluent_kafka.admin")
        return importlib.import_module("confluent_kafka")
    except ImportError:
        raise ImportError("expected the package confluent-kafka (pip install 'onair[kafka]'), found none") from None


class KafkaClients:
    """Makes clients for one topic.

    Attributes:
        library: The client library.
        topic: The topic's name.
        options: Of every client.
    """

    def __init__(self, address: str) -> None:
        """Connects to nothing yet.

        Args:
            address: `kafka://host:port/topic`.

        Raises:
            ImportError: The client library is not installed.
            ValueError: The address is none, or the file of properties cannot be read.
        """
        servers, self.topic = kafka_parts(address)
        self.library = load_kafka()
        path = os.environ.get(PROPERTIES_VARIABLE)
        given = read_properties(path, PROPERTIES_VARIABLE) if path else {}
        self.options: dict[str, Any] = given | {
            "bootstrap.servers": servers,
            "log_level": 0,  # Its own log would go to standard error, a line a second while a broker is away.
            "error_cb": self._hear,
            "reconnect.backoff.max.ms": 1000,
        }
        self._trouble = ""
        self._shown = f"kafka://{servers}/{self.topic}"

    def __str__(self) -> str:
        return self._shown

    def admin(self) -> Any:
        """A client that asks for the topic's properties.

        Raises:
            LogError: A property does not exist.
        """
        with self.told():
            return self.library.admin.AdminClient(self.options)

    def consumer(self) -> Any:
        """A client that reads; of no group, so that its place is the reader's own.

        Raises:
            LogError: A property does not exist.
        """
        with self.told():
            return self.library.Consumer(self.options | _READING)

    def producer(self, options: dict[str, Any]) -> Any:
        """A client that writes.

        Raises:
            LogError: A property does not exist.
        """
        with self.told():
            return self.library.Producer(self.options | options)

    @contextmanager
    def told(self) -> Generator[None]:
        """The client's errors become the log's.

        Raises:
            LogError: In place of them.
        """
        try:
            yield
        except self.library.KafkaException as error:
            code, errors = error.args[0].code(), self.library.KafkaError
            if code in (errors._TIMED_OUT, errors._TRANSPORT, errors._ALL_BROKERS_DOWN):
                trouble = self._trouble and f": {self._trouble}"
                raise LogError(
                    f"{self}: expected a broker that answers, received nothing in {ANSWER_S:g} s{trouble}"
                ) from None
            raise LogError(f"{self}: expected a topic that can be read and written: {reason(error.args[0])}") from None

    def _hear(self, error: Any) -> None:
        """Keeps what the client has met last: what times out in the end does not say why."""
        if error.code() != self.library.KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error.str()


def reason(error: Any) -> str:
    """What an error of the client says."""
    return f"{error.str()} ({error.name()})"
