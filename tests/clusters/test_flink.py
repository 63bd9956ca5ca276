"""The Flink job on a real cluster: what it makes of a service's logs is what the embedded worker makes of them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from feature_service.features.events import Event
from feature_service.log.codec import EVENTS
from tests.clusters.flink_cluster import FlinkCluster
from tests.clusters.kafka_broker import KafkaBroker
from tests.training.streaming.flink.records import assert_service_has, told
from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import CATALOG, LATER, closed, made_up
from training.data.hours import HOUR_MS
from training.data.platform import settings_toml
from training.streaming.flink.committing import Committer
from training.streaming.flink.landing import SLATES_FOLDER, land
from training.streaming.flink.plan import PARTS, SUFFIX
from training.streaming.flink.schedule import LAST_REVISION
from training.streaming.worker import Worker

_TIMEOUT_S = 240.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    with FlinkCluster(tmp_path_factory.mktemp("flink")) as running:
        yield running


class Job:
    """The logs of a small service on their way through Flink."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Makes the logs up; the slates have landed."""
        self.logs, events = made_up(folder, seed)
        self.events = closed(events)
        self.hours = len({each.time_ms // HOUR_MS for each in events})
        self.logs.append(self.events)
        self.folder, self.out = folder, folder / "out"
        self._settings = folder / "settings.toml"
        self._settings.write_text(settings_toml(CATALOG))
        self.land(SLATES_FOLDER, self.logs.served)

    def land(self, name: str, log: Path) -> None:
        """Puts a log down for Flink."""
        assert list(land(log, str(self.folder / "landing" / name)))

    def arguments(self, events: str) -> list[str]:
        """Of the job, where its events come from a place."""
        layout = next((self.logs.served / "layouts").iterdir())
        named = {"--events": events, "--slates": str(self.folder / "landing" / SLATES_FOLDER), "--layout": str(layout)}
        named |= {"--settings": str(self._settings), "--out": str(self.out), "--shards": "3"}
        return [word for pair in named.items() for word in pair]

    def committed(self) -> int:
        """Makes samples of what there is; how many hours are written for the last time."""
        written = Committer(str(self.out), str(self.out / "hours")).commit() if self.out.exists() else ()
        self._last = getattr(self, "_last", 0) + sum(each.revision == LAST_REVISION for each in written)
        return self._last

    def lines(self, folder: str) -> list[str]:
        """What has been put down for good."""
        return [line for path in (self.out / folder).glob(f"*{SUFFIX}") for line in path.read_text().splitlines()]

    def worker_hours(self) -> Path:
        """What the embedded worker makes of the same logs."""
        worker = Worker(self.logs.log, self.logs.served, self.folder / "hours", CATALOG)
        assert [*worker.catch_up(), *worker.write()]
        return self.folder / "hours"

    def assert_same_as_worker_and_batch(self) -> None:
        """Samples are those of the worker and of the join of the whole log, records those of a service."""
        parts = self.lines(PARTS)
        assert len({line.partition("\t")[0] for line in parts}) == len(parts), "a part stands there twice"
        assert_same(self.out / "hours", self.worker_hours())
        assert_same(self.out / "hours", batch(self.logs))
        assert_service_has(told(self.lines("records")), self.logs.log, CATALOG, but=LATER)


def until(reached, job: str, cluster: FlinkCluster) -> None:
    """Waits until something is so, while a job runs."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not reached():
        assert cluster.state(job) in ("CREATED", "RUNNING", "RESTARTING"), cluster.ask(f"/jobs/{job}/exceptions")
        assert time.monotonic() < deadline_s, f"not reached within {_TIMEOUT_S} s"
        time.sleep(0.5)


def produce(broker: KafkaBroker, address: str, events: list[Event]) -> None:
    """Appends events to a topic."""
    producer = Producer({"bootstrap.servers": broker.address, "enable.idempotence": True, "log_level": 0})
    for event in events:
        producer.produce(address.rpartition("/")[2], EVENTS.to_bytes(event), partition=0)
    assert producer.flush(60) == 0


@pytest.mark.timeout(600)
def test_a_stream_whose_task_manager_is_killed_makes_what_the_worker_makes(
    tmp_path: Path, cluster: FlinkCluster, broker: KafkaBroker, address: str
) -> None:
    job = Job(tmp_path, seed=21)
    half = len(job.events) // 2
    produce(broker, address, job.events[:half])
    running = cluster.submit(*job.arguments(address))
    until(lambda: bool(job.lines(PARTS)), running, cluster)
    produce(broker, address, job.events[half : half + 100])
    cluster.kill_task_manager()
    produce(broker, address, job.events[half + 100 :])
    until(lambda: job.committed() == job.hours, running, cluster)
    cluster.flink("cancel", running)
    cluster.add_task_manager()
    job.assert_same_as_worker_and_batch()
