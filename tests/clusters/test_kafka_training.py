"""Training reads a service's events from its topic, and gets what it would get from a local log."""

from pathlib import Path

import numpy as np
import pytest

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from feature_service.features.events import Event
from feature_service.log.kafka import KafkaLog
from feature_service.log.kafka_topic import KafkaTopic
from feature_service.log.reader import read_log
from tests.clusters.kafka_broker import KafkaBroker
from tests.feature_service.served.showing import showing
from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import CATALOG, made_up
from training.__main__ import main
from training.data.served_join import join_served
from training.streaming.worker import Worker


def write(address: str, events: list[Event]) -> None:
    """Puts events behind the others in a topic."""
    log = KafkaLog.open(address)
    log.append(events)
    log.close()


def test_the_join_of_a_topic_is_that_of_the_same_events_in_a_folder(tmp_path: Path, address: str) -> None:
    logs, events = made_up(tmp_path, 0)
    logs.append(events)
    write(address, events)
    join_served(KafkaTopic(address), logs.served, tmp_path / "topic", CATALOG, delays=True)
    assert_same(tmp_path / "topic", batch(logs))


def test_workers_that_follow_a_topic_write_the_join_of_the_whole(tmp_path: Path, address: str) -> None:
    logs, events = made_up(tmp_path, 1)
    logs.append(events)
    for part in np.array_split(np.arange(len(events)), 3):
        worker = Worker(KafkaTopic(address), logs.served, tmp_path / "hours", CATALOG)
        for half in np.array_split(part, 2):
            write(address, [events[place] for place in half])
            list(worker.catch_up())
        list(worker.write())
    assert_same(tmp_path / "hours", batch(logs))


async def test_skew_replays_a_topic(tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with showing(tmp_path) as shown:
        for user in ("one", "two", "one"):
            await shown.see(user, await shown.show(user))
    write(address, [event for _, event in read_log(tmp_path / LOG_FOLDER, 0)])
    arguments = ["--served", str(tmp_path / SERVED_FOLDER), "--settings", str(tmp_path / "settings.toml")]
    (tmp_path / "settings.toml").write_text("[service]\ncontent_width = 2\n")
    assert main(["skew", "--log", address, *arguments]) == 0
    assert "in 3 slates" in (said := capsys.readouterr().out)
    assert ", 0 differ" in said


def test_a_topic_that_is_not_there_is_named(
    broker: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, _ = made_up(tmp_path, 2)
    address = f"kafka://{broker.address}/nowhere"
    assert main(["join", "--log", address, "--served", str(logs.served), "--samples", str(tmp_path / "samples")]) == 2
    assert f"{address}: expected a topic with one partition, found no topic of that name" in capsys.readouterr().err
