"""Users who were erased leave the samples by the hour, those that are over and those that are not."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from tests.training.streaming.service_logs import CATALOG, START_MS, ServiceLogs, closed, event, made_up
from training.data.erased import Erased
from training.data.hours import HOUR_MS
from training.data.samples_io import read_enters, read_sample_about, read_samples
from training.streaming.erasing import erase_users
from training.streaming.worker import Worker

USER = "user-1"
KEY = key_of("user", USER)


def erasure(time_ms: int) -> Event:
    """Of the user."""
    return Event("erased", EventKind.USER_ERASED, time_ms, user_id=USER, received_ms=time_ms)


def later_ms(events: list[Event]) -> int:
    """When all that they tell has been received."""
    return max(each.received_ms for each in events) + 1


def work(logs: ServiceLogs) -> Path:
    """Lets a worker write all that the logs tell by now."""
    worker = Worker(logs.log, logs.served, logs.data / "hours", CATALOG)
    for _ in (*worker.catch_up(), *worker.write()):
        pass
    return logs.data / "hours"


def users_in(samples: Path) -> set[int]:
    """The users of whom any file tells, of older revisions too."""
    tables = [pq.read_table(path) for path in samples.rglob("*.parquet")]
    return {key for table in tables if "user" in table.column_names for key in table["user"].to_pylist()}


def test_hours_that_are_over_are_written_anew_without_the_user(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 31)
    logs.append(closed(events))
    samples = work(logs)
    before, visits = read_samples(samples), read_enters(samples)
    assert KEY in users_in(samples)
    later_ms = max(each.received_ms for each in events) + 7 * HOUR_MS
    passing = event(EventKind.IMPRESSION, "passing", later_ms + 6 * HOUR_MS, "other", "elsewhere")
    logs.append([erasure(later_ms), passing])
    work(logs)
    assert KEY not in users_in(samples)
    after = read_samples(samples)
    keep = before.slates.user != KEY
    expected = before.of_slates(keep)
    assert after.slates.user.tolist() == expected.slates.user.tolist()
    for name in ("slate", "room", "labels", "mask", "delay_s"):
        assert np.array_equal(getattr(after.candidates, name), getattr(expected.candidates, name)), name
    for name, tensor in expected.candidates.tensors.items():
        assert after.candidates.tensors[name].tobytes() == tensor.tobytes(), name
    assert read_enters(samples).time_ms.tolist() == visits.time_ms[visits.user != KEY].tolist()
    assert read_sample_about(samples).candidates == len(expected.candidates.room)


def test_hours_that_may_still_change_lose_the_user_with_their_next_revision(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 32)
    now_ms = START_MS + 4 * HOUR_MS  # The first hour is over ten minutes later.
    logs.append([each for each in events if each.received_ms < now_ms])
    assert KEY in users_in(work(logs))
    logs.append([erasure(now_ms), event(EventKind.IMPRESSION, "on", now_ms + 1, "other", "elsewhere")])
    samples = work(logs)
    assert KEY not in read_samples(samples).slates.user
    assert KEY not in read_enters(samples).user


def test_a_worker_that_was_off_until_the_log_had_forgotten_the_user_learns_it_from_the_service(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 34)
    logs.append(closed(events))
    assert KEY in users_in(work(logs))
    over_ms = later_ms(events) + 14 * HOUR_MS
    anonymous = erasure(over_ms - HOUR_MS)._replace(user_id="")
    logs.append([anonymous, event(EventKind.IMPRESSION, "passing", over_ms, "other", "elsewhere")])
    noted = Erased.of({KEY: over_ms - HOUR_MS})
    worker = Worker(logs.log, logs.served, logs.data / "hours", CATALOG, erasures=lambda: noted)
    assert list(worker.catch_up())
    assert KEY not in users_in(logs.data / "hours")


def test_hours_that_do_not_tell_of_the_user_stay_as_they_are(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 33)
    logs.append(closed(events))
    samples = work(logs)
    before = {path: path.read_bytes() for path in samples.rglob("*") if path.is_file()}
    assert erase_users(samples, Erased.of({key_of("user", "nobody"): later_ms(events)}), 10**6) == []
    assert {path: path.read_bytes() for path in samples.rglob("*") if path.is_file()} == before
