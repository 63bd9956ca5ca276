"""Erasure on every storage, and in a topic: the verbs take the user out of what lies there, and a scan sees it."""

from pathlib import Path

import pytest

from feature_service.erasures import ERASURES_FILE, Erasures
from feature_service.features.events import Event, EventKind
from feature_service.log.kafka import KafkaLog
from feature_service.log.reader import read_log
from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import START_MS, ServiceLogs, closed, event, made_up
from training.__main__ import main
from training.data.hours import HOUR_MS
from training.data.sources import order_ms, write_log
from training.storage import Place, stored

USER, OTHER = "user-1", "user-2"


@pytest.fixture
def logs(tmp_path: Path) -> ServiceLogs:
    """Of a service with its settings beside it; all hours of theirs are over."""
    logs, events = made_up(tmp_path / "service", 41, hours=3)
    logs.append(closed(events), at_once=100)
    (tmp_path / "settings.toml").write_text("[service]\ncontent_width = 2\n")
    return logs


def do(verb: str, *words: object, **arguments: object) -> None:
    """Runs a verb, which ends well."""
    assert main([verb, *map(str, words), *(f"--{name}={value}" for name, value in arguments.items())]) == 0


def found(user: str, *words: object) -> bool:
    """Whether a scan finds a user."""
    status = main(["scan", "--user", user, *map(str, words)])
    assert status in {0, 1}
    return status == 1


def erased(logs: ServiceLogs) -> Event:
    """An hour after all that the logs tell, the user is erased."""
    later_ms = max(event.received_ms for _, event in read_log(logs.log, 0)) + HOUR_MS
    return Event("erase", EventKind.USER_ERASED, later_ms, user_id=USER, received_ms=later_ms)


def test_sets_and_logs_there_tell_nothing_of_the_user(root: Place, tmp_path: Path, logs: ServiceLogs) -> None:
    samples, log, erasures = root / "samples", root / "log", root / ERASURES_FILE
    do("join", log=logs.log, served=logs.served, samples=samples, settings=tmp_path / "settings.toml")
    write_log(str(log), sorted((event for _, event in read_log(logs.log, 0)), key=order_ms))
    assert found(USER, samples)
    assert found(USER, log)
    with stored(erasures) as file:
        Erasures.open(file).add(erased(logs), position=1)
    do("erase", erasures=erasures, samples=samples, log=log)
    assert not found(USER, samples, log)
    assert found(OTHER, samples)
    assert found(OTHER, log)


def test_hours_there_tell_nothing_of_the_user(root: Place, tmp_path: Path, logs: ServiceLogs) -> None:
    hours, settings = root / "hours", tmp_path / "settings.toml"

    def work() -> None:
        do("worker", "--once", log=logs.log, served=logs.served, samples=hours, settings=settings)

    work()
    assert_same(str(hours), batch(logs))
    assert found(USER, hours)
    erasure = erased(logs)
    passing = event(EventKind.IMPRESSION, "passing", erasure.time_ms + 6 * HOUR_MS, "other", "elsewhere")
    logs.append([erasure, passing])
    work()
    assert not found(USER, hours)
    assert found(OTHER, hours)


def test_a_topic_is_looked_into_by_the_settings_that_name_it(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[log]\naddress = "{address}"\n')
    log = KafkaLog.open(address)
    log.append([event(EventKind.IMPRESSION, f"seen by {user}", START_MS, user, "room") for user in (OTHER, USER)])
    log.close()
    assert found(USER, "--settings", settings)
    assert f"found  {address} 1: the id" in capsys.readouterr().out
    assert not found("user-3", "--settings", settings)
