"""The Flink job on a real cluster: what it makes of a service's logs is what the embedded worker makes of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_service.features.events import Event
from tests.clusters.flink_cluster import FlinkCluster
from tests.clusters.flink_job import Job, produce, until
from tests.clusters.kafka_broker import KafkaBroker
from tests.training.streaming.service_logs import made_up
from training.data.hours import HOUR_MS
from training.streaming.flink.landing import EVENTS_FOLDER
from training.streaming.flink.plan import PARTS

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    with FlinkCluster(tmp_path_factory.mktemp("flink")) as running:
        yield running


@pytest.fixture
def cluster(flink: FlinkCluster) -> Iterator[FlinkCluster]:
    """The cluster, on which nothing runs afterwards."""
    yield flink
    flink.cancel_all()


def half_way(
    job: Job, cluster: FlinkCluster, broker: KafkaBroker, address: str, parallelism: int = 2
) -> tuple[str, list[Event]]:
    """Runs the job on the first half of its events until parts are there; returns its id, and the other events."""
    half = len(job.events) // 2
    produce(broker, address, job.events[:half])
    running = cluster.submit(*job.arguments(broker.guarded(address)), parallelism=parallelism)
    until(lambda: bool(job.lines(PARTS)), running, cluster)
    return running, job.events[half:]


def test_a_stream_whose_task_manager_is_killed_makes_what_the_worker_makes(
    tmp_path: Path, cluster: FlinkCluster, broker: KafkaBroker, address: str
) -> None:
    job = Job(*made_up(tmp_path, seed=21))
    running, rest = half_way(job, cluster, broker, address)
    produce(broker, address, rest[:100])
    cluster.kill_task_manager()
    produce(broker, address, rest[100:])
    cluster.add_task_manager()
    until(job.commit, running, cluster)
    cluster.cancel_all()
    assert job.assert_same_as_worker_and_batch() == 0


def test_a_savepoint_goes_on_at_twice_the_parallelism_under_another_layout_of_the_records(
    tmp_path: Path, cluster: FlinkCluster, broker: KafkaBroker, address: str
) -> None:
    job = Job(*made_up(tmp_path, seed=22))
    running, rest = half_way(job, cluster, broker, address, parallelism=1)
    told = cluster.flink("stop", "--savepointPath", f"file://{tmp_path}/savepoints", running)
    savepoint = told.rpartition("Path: ")[2].split()[0]
    job.widen_contents()
    running = cluster.submit(*job.arguments(broker.guarded(address)), savepoint=savepoint)
    produce(broker, address, rest)
    until(job.commit, running, cluster)
    cluster.cancel_all()
    assert job.assert_same_as_worker_and_batch() == 0


def test_a_run_over_what_has_landed_makes_what_the_worker_makes(tmp_path: Path, cluster: FlinkCluster) -> None:
    job = Job(*made_up(tmp_path, seed=23))
    job.land(EVENTS_FOLDER, job.logs.log)
    cluster.await_end(cluster.submit(*job.arguments(job.landing(EVENTS_FOLDER)), "--batch"), timeout_s=400)
    assert job.commit()
    assert job.final == job.events[-1].time_ms // HOUR_MS, "at the end all hours are over, that of the later event too"
    assert job.assert_same_as_worker_and_batch(but="") == 0
