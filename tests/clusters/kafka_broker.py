"""A real Kafka broker: Apache Kafka in KRaft mode, one Java process that is its own controller."""

import base64
import secrets
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.clusters.processes import INSTALLED, Server, free_port, listens

USER, PASSWORD = "onair", "only-for-tests"
"""Whom the guarded port lets in."""

_LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"

JAVA_CLIENT = f"""\
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config={_LOGIN_MODULE} required username='{USER}' password='{PASSWORD}';
"""
"""Properties of a Java client that the guarded port lets in."""

_JARS = INSTALLED / "kafka"
_START_TIMEOUT_S = 120.0

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={module} required user_{user}="{password}";
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
"""Of a cluster of one: topics of three copies would wait for two other brokers. One that was killed is let in again
once its last session has timed out. Tests have clocks of their own, years behind the broker's or ahead of it."""


class KafkaBroker:
    """The broker, without a topic at first; to be ended by `kill`, or as a context. Its data outlives its process."""

    def __init__(self, folder: Path) -> None:
        """Formats its storage, starts it, and waits until it listens.

        Args:
            folder: Of its data and its log.
        """
        assert _JARS.is_dir(), f"{_JARS}: expected the jars that `make clusters` fetches, found none"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port, self.guarded_port = free_port(), free_port()
        self._properties = folder / "server.properties"
        self._properties.write_text(
            _PROPERTIES.format(
                port=self.port,
                guarded=self.guarded_port,
                controller=free_port(),
                module=_LOGIN_MODULE,
                user=USER,
                password=PASSWORD,
                data=folder / "data",
            ),
            encoding="ascii",
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java("kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "--config")
        formatted = subprocess.run([*command, str(self._properties)], capture_output=True, text=True, check=False)
        assert not formatted.returncode, formatted.stdout + formatted.stderr
        self.start()
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    @property
    def address(self) -> str:
        """What clients are given as their bootstrap server."""
        return f"127.0.0.1:{self.port}"

    def topic(self, name: str = "", *, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        """Makes an empty topic, of a name of its own unless one is given; returns its address for the settings."""
        name = name or f"topic-{secrets.token_hex(4)}"
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
        self.admin.create_topics([topic])[name].result()
        address, deadline_s = f"kafka://{self.address}/{name}", time.monotonic() + _START_TIMEOUT_S
        while not self._serves(name):
            assert time.monotonic() < deadline_s, f"{address} is not there"
            time.sleep(0.02)
        return address

    def guarded(self, address: str) -> str:
        """A topic's address behind the guarded port."""
        return address.replace(self.address, f"127.0.0.1:{self.guarded_port}")

    def start(self) -> None:
        """Starts it on its ports, with what its folder holds."""
        command = [*self._java("kafka.Kafka"), str(self._properties)]
        log = self._folder / "broker.log"
        self._server = Server(command, log, lambda: listens(self.port), timeout_s=_START_TIMEOUT_S)

    def kill(self) -> None:
        """Ends it at once, as `kill -9` does."""
        self._server.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _serves(self, name: str) -> bool:
        """Whether a new topic has come from the controller to the broker, and has a leader."""
        found = self.admin.list_topics(timeout=_START_TIMEOUT_S).topics.get(name)
        return found is not None and all(each.leader == 1 for each in found.partitions.values())

    @staticmethod
    def _java(main: str, *arguments: str) -> list[str]:
        small = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", *small, quiet, "-cp", f"{_JARS}/*", main, *arguments]
