"""`make flink`: the Flink job on a real cluster, through a real Kafka, beside the embedded worker on the same events.

A made-up service's events come twice (a tenth), out of order (a third) and over an hour late (a twentieth). Samples and
records must be the same, to the last byte; the exit status is 1 if they are not.

Usage: python -m tests.clusters.flink_beside_worker [--events N] [--kill]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.clusters.flink_cluster import FlinkCluster
from tests.clusters.flink_job import Job, produce, until
from tests.clusters.kafka_broker import KafkaBroker
from tests.training.streaming.service_logs import made_up
from training.streaming.flink.plan import PARTS

_HOURS = 24
_EVENTS_PER_SLATE = 6.2
_CORRECT_HOURS = 5
"""Some act two hours after they have seen a room, and what they do is received up to an hour and a half later."""
_TIMEOUT_S = 3_600


def main() -> int:
    """Runs both, and says what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="about so many, in 24 hours; default 20,000")
    parser.add_argument("--kill", action="store_true", help="kill a TaskManager half-way")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onair-flink-") as folder:
        return _compare(Path(folder), arguments.events, kill=arguments.kill)


def _compare(folder: Path, events: int, *, kill: bool) -> int:
    slates = round(events / _EVENTS_PER_SLATE / _HOURS)
    logs = made_up(folder / "service", 1, _HOURS, slates, rooms=max(8, slates // 20), viewers=max(5, slates))
    job = Job(*logs, shards=16, correct_hours=_CORRECT_HOURS)
    _say(f"{len(job.events):,} events, {len(job.logs.slates):,} slates")
    with (
        KafkaBroker(folder / "kafka") as broker,
        FlinkCluster(folder / "flink", task_manager_mb=2400, checkpoint_s=10) as cluster,
    ):
        address = broker.topic()
        produce(broker, address, job.events)
        _say("Flink and Kafka are up, the events are in the topic")
        running, started_s = cluster.submit(*job.arguments(broker.guarded(address))), time.monotonic()
        if kill:
            until(lambda: bool(job.lines(PARTS)), running, cluster, _TIMEOUT_S)
            cluster.kill_task_manager()
            cluster.add_task_manager()
            _say(f"killed a TaskManager after {time.monotonic() - started_s:.0f} s")
        until(job.commit, running, cluster, _TIMEOUT_S)
        _say(f"Flink: all hours final after {time.monotonic() - started_s:.0f} s")
        cluster.cancel_all()
    started_s = time.process_time()
    job.worker_hours()
    _say(f"worker: {time.process_time() - started_s:.0f} s of CPU")
    try:
        visits = job.assert_same_as_worker_and_batch()
    except AssertionError as error:
        _say(f"not the same: {error}")
        return 1
    _say(f"visits of which the batch join, which sees the whole log, knows another length: {visits}")
    _say("samples of Flink, the worker and the batch join: the same")
    _say("records of viewers, pairs, rooms and streamers of Flink and a service: the same")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
