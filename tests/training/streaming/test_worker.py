"""The worker: an hour's samples are what the join of the whole log has of it, however the logs were read."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.log.rewrite import remove
from tests.feature_service.served.showing import showing
from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import (
    CATALOG,
    LAYOUT,
    NARROW,
    START_MS,
    ServiceLogs,
    closed,
    event,
    made_up,
    slate,
    with_a_quiet_hour,
)
from training.data.dataset import Dataset
from training.data.errors import DataError
from training.data.hours import HOUR_MS, hour_name
from training.data.samples_io import SampleWriter, read_enters, read_sample_about, read_samples
from training.data.service_log import first_position
from training.heads import HEAD_NAMES
from training.streaming.hourly_samples import HourlySamples
from training.streaming.worker import Revised, Worker

RNG = np.random.default_rng(0)
HOUR = START_MS // HOUR_MS


class BrokenOffError(Exception):
    """A worker that breaks off."""


def broken(write: Callable[..., None], left: Iterator[int]) -> Callable[..., None]:
    """The same write, unless none are left: then it breaks off."""

    def write_or_break(*arguments: Any) -> None:
        if next(left) <= 0:
            raise BrokenOffError
        write(*arguments)

    return write_or_break


def ms(minutes: float) -> int:
    """Unix milliseconds of a time after the start of the logs."""
    return START_MS + round(minutes * 60_000)


def seen(room: str, minutes: float, request: str = "r") -> Event:
    """Viewer "one" sees a room."""
    return act(EventKind.IMPRESSION, room, minutes, request)


def act(kind: EventKind, room: str, minutes: float, request: str = "r") -> Event:
    """Viewer "one" does something with a room."""
    return event(kind, f"{kind.name} {room} {minutes}", ms(minutes), "one", room, request)


def passing(minutes: float) -> Event:
    """What happens elsewhere."""
    return event(EventKind.IMPRESSION, f"passing {minutes}", ms(minutes), "other", "elsewhere")


def new_worker(logs: ServiceLogs) -> Worker:
    """A worker that goes on where the last one stopped."""
    return Worker(logs.log, logs.served, logs.data / "hours", CATALOG)


def once(logs: ServiceLogs) -> list[Revised]:
    """What a new worker writes until it has caught up."""
    worker = new_worker(logs)
    return [*worker.catch_up(), *worker.write()]


@pytest.mark.parametrize("seed", range(4))
def test_the_hours_together_are_the_join_of_the_whole_log(tmp_path: Path, seed: int) -> None:
    logs, events = made_up(tmp_path, seed)
    logs.append(events)
    once(logs)
    assert_same(tmp_path / "hours", batch(logs))
    assert read_sample_about(tmp_path / "hours") == read_sample_about(tmp_path / "batch")


def test_a_room_that_goes_off_air_in_a_quiet_hour_keeps_its_version(tmp_path: Path) -> None:
    logs, events = with_a_quiet_hour(tmp_path)
    logs.append(closed(events))
    once(logs)
    assert_same(tmp_path / "hours", batch(logs))


async def test_what_a_running_service_logs_gives_the_same(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        logs = ServiceLogs(tmp_path)
        for hours in (0.5, 0.6, 3):
            for user in ("one", "two"):
                await shown.see(user, await shown.show(user))
            await shown.pass_hours(hours)
            once(logs)
    once(logs)  # The served log is written in the background, up to the end of the service.
    assert read_sample_about(tmp_path / "hours").slates == 6
    assert_same(tmp_path / "hours", batch(logs))


def test_training_splits_hours_like_a_set_that_is_one_whole(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 14)
    logs.append(events)
    once(logs)
    found, expected = (Dataset.read(samples).split for samples in (tmp_path / "hours", batch(logs)))
    for part in ("training", "validation", "test"):
        one, other = getattr(found, part), getattr(expected, part)
        assert one.slates.time_ms.tolist() == other.slates.time_ms.tolist()
        assert np.array_equal(one.candidates.labels, other.candidates.labels)


@pytest.mark.parametrize("seed", range(4, 8))
def test_a_log_read_in_pieces_by_ever_new_workers_gives_the_same(tmp_path: Path, seed: int) -> None:
    logs, events = made_up(tmp_path, seed)
    for part in np.array_split(np.arange(len(events)), 9):
        logs.append([events[place] for place in part])
        once(logs)
    assert_same(tmp_path / "hours", batch(logs))


@pytest.mark.parametrize("seed", [8, 9])
def test_a_worker_that_follows_gives_the_same(tmp_path: Path, seed: int) -> None:
    logs, events = made_up(tmp_path, seed)
    events.append(passing((events[-1].received_ms - START_MS) / 60_000))  # Where the log ends, in both its times.
    logs.append(events[:1])
    worker = new_worker(logs)
    for part in np.array_split(np.arange(1, len(events)), 40):
        logs.append([events[place] for place in part])
        deque(worker.catch_up(), maxlen=0)
        deque(worker.write(worker.now_ms), maxlen=0)
    deque(worker.write(), maxlen=0)
    assert_same(tmp_path / "hours", batch(logs))


@pytest.mark.parametrize("seed", [10, 11])
def test_a_worker_that_breaks_off_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, events = made_up(tmp_path, seed)
    logs.append(events)
    writes = [(SampleWriter, "_shard"), (SampleWriter, "_text"), (HourlySamples, "_write"), (HourlySamples, "_remove")]
    for at in itertools.count(1):
        with monkeypatch.context() as breaking:
            left = itertools.count(at, -1)
            for kind, name in writes:
                breaking.setattr(kind, name, broken(getattr(kind, name), left))
            with suppress(BrokenOffError):
                once(logs)
                break
    assert at > 12  # Ten files and a state are written from one revision to the next: it has broken off at each.
    assert_same(tmp_path / "hours", batch(logs))


def test_an_hour_is_written_when_its_end_is_ten_minutes_past(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, "r", "one", ["a", "b"], START_MS + 60_000)])
    logs.append([seen("a", 2), seen("b", 3)])
    worker = new_worker(logs)
    assert list(worker.catch_up()) == []
    assert list(worker.write(START_MS + HOUR_MS + 599_999)) == []
    (revised,) = worker.write(START_MS + HOUR_MS + 600_000)
    assert (revised.hour, revised.number, revised.written.slates, revised.written.impressions) == (HOUR, 1, 1, 2)
    # The windows of ten minutes are over, those of two hours are not.
    candidates = read_samples(tmp_path / "hours").candidates
    assert candidates.mask.all(axis=0).tolist() == [False] * len(HEAD_NAMES)


def test_a_late_action_corrects_its_hour(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, "r", "one", ["a", "b"], START_MS + 60_000)])
    logs.append([seen("a", 2), seen("b", 3), act(EventKind.LIKE, "b", 4), passing(190)])
    assert [revised.number for revised in once(logs)] == [1, 1]
    like = HEAD_NAMES.index("like")
    assert read_samples(tmp_path / "hours").candidates.labels[:, like].tolist() == [0, 1]
    # Five minutes into the broadcast, but told three hours later.
    logs.append([act(EventKind.LIKE, "a", 5)._replace(received_ms=ms(191))])
    (revised,) = [revised for revised in once(logs) if revised.hour == HOUR]
    assert (revised.number, revised.corrections, revised.written.late) == (2, 1, 1)
    assert read_samples(tmp_path / "hours").candidates.labels[:, like].tolist() == [1, 1]


def test_an_action_that_comes_after_the_last_correction_changes_nothing_and_is_counted(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, "r", "one", ["a"], START_MS + 60_000)])
    logs.append([seen("a", 2), act(EventKind.LIKE, "a", 3), passing(260)])
    worker = new_worker(logs)
    # 16:00 has ended for ten minutes and three hours at 20:10, which is 250 minutes after its start.
    (final,) = worker.catch_up()
    assert (final.hour, final.number, final.final) == (HOUR, 1, True)
    logs.append([act(EventKind.SHARE, "a", 5)._replace(received_ms=ms(261))])
    assert list(worker.catch_up()) == []
    assert [revised.hour for revised in worker.write()] == [HOUR + 4]
    assert worker.missed == 1


def test_a_quiet_log_does_not_keep_the_last_hour_from_being_decided(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, "r", "one", ["a"], START_MS + 60_000)])
    logs.append([seen("a", 2), act(EventKind.ENTER, "a", 3)])
    worker = new_worker(logs)
    deque(worker.catch_up(), maxlen=0)
    numbers = [revised.number for minutes in range(0, 600, 7) for revised in worker.write(ms(minutes))]
    # At 1:10, and then each hour until no label can change any more, at 4:00.
    assert numbers == [1, 2, 3, 4]
    heads = [HEAD_NAMES.index("enter")]
    assert read_samples(tmp_path / "hours").candidates.mask[:, heads].all()


def test_a_head_whose_events_came_long_ago_has_labels_after_a_restart_too(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, f"r{at}", "one", ["a"], ms(at)) for at in (1, 361)])
    logs.append([seen("a", 2, "r1"), act(EventKind.LIKE, "a", 3, "r1"), passing(350)])
    once(logs)
    logs.append([seen("a", 362, "r361"), passing(600)])
    once(logs)
    like = HEAD_NAMES.index("like")
    assert read_samples(tmp_path / "hours").candidates.mask[:, like].all()


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 12)
    logs.append(events)
    assert once(logs)
    assert once(logs) == []


def test_an_hour_keeps_one_revision_for_those_who_read_it_and_later_none(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 13)
    kept: list[int] = []
    for part in np.array_split(np.arange(len(events)), 12):
        logs.append([events[place] for place in part])
        once(logs)
        kept.append(len([*(tmp_path / "hours" / hour_name(HOUR)).iterdir()]))
    assert max(kept) == 2
    assert kept[-1] == 1


def test_the_newest_columns_are_read_and_hours_with_others_are_named(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    served = [slate(RNG, "r", "one", ["a"], ms(1)), slate(RNG, "s", "one", ["b"], ms(61), NARROW)]
    logs.serve(served, (LAYOUT, NARROW))
    logs.append([seen("a", 2), act(EventKind.ENTER, "a", 3), seen("b", 62, "s"), act(EventKind.ENTER, "b", 63)])
    once(logs)
    samples, about = read_samples(tmp_path / "hours"), read_sample_about(tmp_path / "hours")
    assert samples.layout.tensors == NARROW.tensors
    assert samples.candidates.room.tolist() == [key_of("room", "b")]
    assert (about.slates, about.events) == (1, 4)
    assert about.lacks[-1] == "the samples of 1 hours whose columns are others than the newest hour's"
    assert len(read_enters(tmp_path / "hours").room) == 2
    assert read_samples(tmp_path / "hours", (HOUR, HOUR)).layout.tensors == LAYOUT.tensors


def test_a_slate_that_is_logged_again_an_hour_later_counts_once(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.serve([slate(RNG, "r", "one", ["a"], ms(at)) for at in (58, 62)])
    logs.append([seen("a", 63), passing(400)])
    once(logs)
    assert read_samples(tmp_path / "hours").slates.time_ms.tolist() == [ms(58)]


def test_a_service_that_has_not_served_yet_is_waited_for(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.append([seen("a", 2), passing(400)])
    worker = new_worker(logs)
    assert [*worker.catch_up(), *worker.write()] == []
    logs.serve([slate(RNG, "r", "one", ["a"], ms(401))])
    logs.append([seen("a", 402, "r")])
    assert [*worker.catch_up()] == []
    assert [revised.written.impressions for revised in worker.write()] == [1]


def test_events_that_retention_took_before_they_were_read_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs, events = made_up(tmp_path, 15, hours=9)
    logs.append(events[: 2 * len(events) // 3])
    once(logs)
    known = new_worker(logs).position
    logs.append(events[2 * len(events) // 3 :])
    remove(logs.log, len(events))
    once(logs)
    assert f"the events from position {known} to {first_position(logs.log) - 1} went unread" in caplog.text


def test_fewer_hours_of_correction_than_labels_take_are_refused(tmp_path: Path) -> None:
    logs = ServiceLogs(tmp_path)
    logs.append([passing(1)])
    with pytest.raises(DataError, match="correct_hours: expected at least 3, received 2"):
        Worker(logs.log, logs.served, tmp_path / "hours", CATALOG, correct_hours=2)
