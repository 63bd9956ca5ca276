"""A service's logs on their way through Flink, and what is to come out."""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer

from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event
from feature_service.log.codec import EVENTS
from tests.clusters.flink_cluster import FlinkCluster
from tests.clusters.kafka_broker import JAVA_CLIENT, KafkaBroker
from tests.training.streaming.flink.records import assert_service_has, told
from tests.training.streaming.same_samples import assert_same, assert_same_samples, batch, visits_apart
from tests.training.streaming.service_logs import CATALOG, LATER, ServiceLogs, closed
from training.data.hours import HOUR_MS
from training.data.platform import settings_toml
from training.streaming.flink.committing import Committer
from training.streaming.flink.landing import SLATES_FOLDER, land
from training.streaming.flink.plan import PARTS, SUFFIX
from training.streaming.schedule import CORRECT_HOURS
from training.streaming.worker import Worker

_IN_FLIGHT = 50_000
"""Events that the producer holds at once; it refuses more than twice as many."""


class Job:
    """The logs of a small service on their way through Flink.

    Attributes:
        final: The newest hour that `commit` has written for the last time; 0 = none.
    """

    def __init__(
        self, logs: ServiceLogs, events: list[Event], *, shards: int = 3, correct_hours: int = CORRECT_HOURS
    ) -> None:
        """Writes the event log; the slates, which are written, land.

        Args:
            logs: Their folder.
            events: Of the event log, in the order of their receipt.
            shards: Of the job.
            correct_hours: How long late events correct an hour.
        """
        self.logs, self.events, self._shards = logs, closed(events), shards
        self._correct_hours = correct_hours
        self.folder, self.out = logs.data, logs.data / "out"
        logs.append(self.events, at_once=100)
        self.catalog = CATALOG
        self._settings = self.folder / "settings.toml"
        self._settings.write_text(settings_toml(CATALOG))
        self._committer: Committer | None = None
        self.final, self._last_hour = 0, self.events[-2].received_ms // HOUR_MS
        self.land(SLATES_FOLDER, logs.served)

    def land(self, name: str, log: Path) -> None:
        """Puts a log down for Flink."""
        assert list(land(log, self.landing(name)))

    def landing(self, name: str) -> str:
        """Where a log is put down."""
        return str(self.folder / "landing" / name)

    def widen_contents(self) -> None:
        """Gives rooms' records another layout, as a service with longer content vectors has it."""
        self.catalog = build_catalog(3)
        self._settings.write_text(settings_toml(self.catalog))

    def arguments(self, events: str) -> list[str]:
        """Of the job, where its events come from: a place, or a topic behind the guarded port of a broker."""
        layout = next((self.logs.served / "layouts").iterdir())
        named = {"--events": events, "--slates": self.landing(SLATES_FOLDER), "--layout": str(layout)}
        if events.startswith("kafka://"):
            (self.folder / "kafka.properties").write_text(JAVA_CLIENT)
            named["--kafka-properties"] = str(self.folder / "kafka.properties")
        named |= {"--settings": str(self._settings), "--out": str(self.out), "--shards": str(self._shards)}
        named["--correct-hours"] = str(self._correct_hours)
        return [word for pair in named.items() for word in pair]

    def commit(self) -> bool:
        """Makes samples of what there is; whether all hours before the later event are written for the last time."""
        if self._committer is None and (self.out / PARTS).exists():
            self._committer = Committer(str(self.out), str(self.out / "hours"))
        if self._committer is not None:
            deque(self._committer.commit(), maxlen=0)
            self.final = self._committer.final or 0
        return self.final >= self._last_hour

    def lines(self, folder: str) -> list[str]:
        """What has been put down for good."""
        return [line for path in (self.out / folder).glob(f"*{SUFFIX}") for line in path.read_text().splitlines()]

    def worker_hours(self) -> Path:
        """What the embedded worker makes of the same logs."""
        worker = Worker(
            self.logs.log, self.logs.served, self.folder / "hours", CATALOG, correct_hours=self._correct_hours
        )
        for _ in (*worker.catch_up(), *worker.write()):
            pass
        return self.folder / "hours"

    def assert_same_as_worker_and_batch(self, *, but: str = LATER) -> int:
        """Samples are those of the worker and of the join of the whole log, records those of a service.

        Args:
            but: The event that no moment has come after, so that its records are not told.

        Returns:
            Of how many visits the join of the whole log knows another length.
        """
        parts = self.lines(PARTS)
        assert len({line.partition("\t")[0] for line in parts}) == len(parts), "a part stands there twice"
        assert_same(self.out / "hours", self.worker_hours())
        assert_service_has(told(self.lines("records")), self.logs.log, self.catalog, but=but)
        whole = batch(self.logs)
        assert_same_samples(self.out / "hours", whole)
        return visits_apart(self.out / "hours", whole)


def until(reached: Callable[[], bool], job: str, cluster: FlinkCluster, timeout_s: float = 400) -> None:
    """Waits until something is so, while a job runs."""
    deadline_s = time.monotonic() + timeout_s
    while not reached():
        cluster.replace_ended()
        assert cluster.state(job) not in ("FAILED", "CANCELED", "FINISHED"), cluster.told_of(job)
        assert time.monotonic() < deadline_s, f"not reached within {timeout_s:g} s: {cluster.told_of(job)}"
        time.sleep(0.5)


def produce(broker: KafkaBroker, address: str, events: list[Event]) -> None:
    """Appends events to a topic."""
    producer = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "log_level": 0})
    for first in range(0, len(events), _IN_FLIGHT):
        for event in events[first : first + _IN_FLIGHT]:
            producer.produce(address.rpartition("/")[2], EVENTS.to_bytes(event), partition=0)
        assert producer.flush(60) == 0
