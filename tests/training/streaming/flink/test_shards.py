"""The shards of a Flink job, without Flink: together they say what the join of the whole log says."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service.features.events import EventKind
from tests.training.streaming.flink.records import assert_service_has, told
from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import (
    CATALOG,
    LATER,
    LAYOUT,
    START_MS,
    ServiceLogs,
    closed,
    made_up,
    with_a_quiet_hour,
)
from training.__main__ import main
from training.data.errors import DataError
from training.data.hours import HOUR_MS, hour_name
from training.data.platform import settings_toml
from training.data.samples_io import read_enters, read_sample_about, read_samples
from training.heads import HEAD_NAMES
from training.streaming.flink.committing import Committed, Committer
from training.streaming.flink.elements import Element, EventRouter, Kind, SlateRouter, packed, unpacked
from training.streaming.flink.landing import EVENTS_FOLDER, land, record_of
from training.streaming.flink.plan import PARTS, SUFFIX, Plan
from training.streaming.flink.shards import Shards
from training.streaming.schedule import CORRECT_HOURS

SHARDS = 2


class Flow:
    """What Flink does with elements: each to its shard, whose timers fire when both logs have gone past them."""

    def __init__(self, out: Path, *, final: bool = False, correct_hours: int = CORRECT_HOURS) -> None:
        """Writes what the shards say into a job's output."""
        plan = Plan("the log", settings_toml(CATALOG), LAYOUT.to_strings(), SHARDS, correct_hours)
        plan.write(str(out))
        (out / PARTS).mkdir()
        self.out = out
        self._shards, self._schedule = Shards(plan, final=final), plan.schedule()
        self._held: list[list[Element]] = [[] for _ in range(2 * SHARDS)]
        self._history: list[bytes | None] = [None] * (2 * SHARDS)
        self._timers: set[int] = set()
        self.moments = 0
        self.parts: list[str] = []
        self.records: list[str] = []

    def take(self, values: Iterator[tuple[Any, ...]]) -> int:
        """Takes elements in; returns the time of the last one."""
        at_ms = 0
        for value in values:
            element = Element(*value)
            at_ms = element.at_ms
            if element.kind == Kind.TICK:
                self._timers.update(self._schedule.due_ms(element.at_ms))
            else:
                self._held[element.shard].append(element)
        return at_ms

    def go_on(self, until_ms: int) -> None:
        """Fires the timers up to a time, a file a moment."""
        for moment_ms in sorted(moment for moment in self._timers if moment <= until_ms):
            self._timers.remove(moment_ms)
            lines = [line for shard in range(2 * SHARDS) for line in self._speak(shard, moment_ms)]
            self.moments += 1
            (self.out / PARTS / f"part-{self.moments}{SUFFIX}").write_text("\n".join(lines) + "\n")

    def _speak(self, shard: int, moment_ms: int) -> list[str]:
        spoken = self._shards.speak(shard, moment_ms, self._held[shard], self._history[shard])
        self._held[shard] = [each for each in self._held[shard] if each.at_ms >= spoken.needed_from_ms]
        self._history[shard] = spoken.history
        self.records.append(spoken.records)
        self.parts += spoken.parts
        return spoken.parts

    def commit(self) -> list[Committed]:
        """Makes samples of what there is."""
        return list(Committer(str(self.out), str(self.out / "hours")).commit())


def records(folder: Path, log: Path) -> list[tuple[int, bytes]]:
    """The records of a log, as they land."""
    for _ in land(log, str(folder)):
        pass
    return [record_of(line) for path in sorted(folder.glob("*")) for line in path.read_text().splitlines()]


def run(logs: ServiceLogs, flow: Flow, restart: int = -1) -> None:
    """Lets both logs flow in, each by its own time; before a record, the process that reads events is another one."""
    events, slates = EventRouter(SHARDS), SlateRouter(SHARDS)
    served = records(logs.data / "landed slates", logs.served)
    slates_ms = max((flow.take(slates.route(each)) for each in served), default=0)
    for number, each in enumerate(records(logs.data / "landed events", logs.log)):
        if number == restart:
            events = EventRouter(SHARDS)
        events_ms = flow.take(events.route(each))
        # A timer fires some time after its moment: what has come by then must not count.
        flow.go_on(min(events_ms - 1_200_000, slates_ms + 24 * HOUR_MS))
    flow.go_on(events_ms)


@pytest.mark.parametrize("seed", [3, 11, 12])
def test_the_shards_together_say_what_the_join_of_the_whole_log_says(tmp_path: Path, seed: int) -> None:
    logs, events = made_up(tmp_path, seed)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    flow.commit()
    assert_same(tmp_path / "out" / "hours", batch(logs))
    found, expected = (read_sample_about(where) for where in (tmp_path / "out" / "hours", tmp_path / "batch"))
    # The hour of the later event is not over.
    assert found == replace(expected, log="the log", events=expected.events - 1, last_ms=found.last_ms)


def test_a_room_that_goes_off_air_in_a_quiet_hour_keeps_its_version(tmp_path: Path) -> None:
    logs, events = with_a_quiet_hour(tmp_path)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    flow.commit()
    assert_same(tmp_path / "out" / "hours", batch(logs))


def test_the_records_are_those_of_a_service(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 13)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    assert_service_has(told(flow.records), logs.log, CATALOG, but=LATER)


def test_elements_that_waited_together_are_what_they_were() -> None:
    elements = [
        Element(3, START_MS, 7, Kind.EVENT, START_MS - 5, b"what happened"),
        Element(3, START_MS + 1, 2, Kind.SLATE, START_MS + 1, bytes(range(256))),
        Element(3, START_MS + 2, 9, Kind.END, START_MS, b""),
    ]
    assert list(unpacked(b"".join(map(packed, elements)))) == elements


def test_last_revisions_alone_are_the_same_samples(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 4)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out", final=True))
    assert {each.revision for each in flow.commit()} == {4}
    assert_same(tmp_path / "out" / "hours", batch(logs))


def test_what_is_received_later_counts_where_hours_are_corrected_for_longer(tmp_path: Path) -> None:
    logs, events = with_a_quiet_hour(tmp_path)
    like = next(each for each in events if each.kind is EventKind.LIKE)
    late = like._replace(event_id="late", kind=EventKind.GIFT, received_ms=like.received_ms + 4 * HOUR_MS)
    events = [each for each in events if each.kind is not EventKind.GIFT or each.request_id != like.request_id]
    logs.append(closed([*events, late]))
    expected = batch(logs)
    gifts = []
    for correct_hours in (CORRECT_HOURS, CORRECT_HOURS + 1):
        run(logs, flow := Flow(tmp_path / f"out {correct_hours}", correct_hours=correct_hours))
        flow.commit()
        gifts.append(read_samples(flow.out / "hours").candidates.labels[:, HEAD_NAMES.index("gift")].tolist())
    assert gifts == [[0, 1], [1, 1]]
    assert_same(flow.out / "hours", expected)


def test_an_hour_is_there_ten_minutes_after_its_end_and_corrected_each_hour_after_that(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 5)
    first_end_ms = START_MS + HOUR_MS
    logs.append([each for each in events if each.received_ms < first_end_ms + 900_000])
    flow = Flow(tmp_path / "out")
    run(logs, flow)
    assert [(each.hour, each.revision) for each in flow.commit() if each.slates] == [(START_MS // HOUR_MS, 1)]
    assert not read_samples(tmp_path / "out" / "hours").candidates.mask.all()


def test_an_hour_that_begins_once_more_after_a_restart_is_not_spoken_of_again(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 14)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"), restart=len(events) // 2)
    heads = [line.partition("\t")[0] for line in flow.parts]
    assert len(heads) == len(set(heads))
    flow.commit()
    assert_same(tmp_path / "out" / "hours", batch(logs))


def test_what_is_committed_is_not_written_again(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 6)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    assert flow.commit()
    assert flow.commit() == []


def test_hours_that_are_not_to_be_kept_go_and_do_not_come_back(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 7)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    flow.commit()
    hours = flow.out / "hours"
    every = {path.name for path in hours.glob("hour=*")}
    committer = Committer(str(flow.out), str(hours), keep_hours=3)
    list(committer.commit())
    committer.forget()
    assert committer.final is not None
    kept = {name for name in every if name >= hour_name(committer.final - 2)}
    assert {path.name for path in hours.glob("hour=*")} == kept < every
    assert list(committer.commit()) == []
    assert main(["commit", "--parts", str(flow.out), "--samples", str(hours), "--keep-days", "0.04"]) == 0
    assert {path.name for path in hours.glob("hour=*")} == {name for name in kept if name >= hour_name(committer.final)}


def test_an_hour_waits_for_all_its_shards(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 7)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out", final=True))
    path = min(path for path in (tmp_path / "out" / PARTS).iterdir() if f"{START_MS // HOUR_MS} 4 " in path.read_text())
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join(others) + "\n")
    assert START_MS // HOUR_MS not in {each.hour for each in flow.commit()}
    path.write_text("\n".join([first, *others]) + "\n")
    assert [each.hour for each in flow.commit()] == [START_MS // HOUR_MS]


def test_a_committer_that_looks_again_takes_up_what_has_come_since(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 7)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out", final=True))
    parts = tmp_path / "out" / PARTS
    for path in [parts / f"part-{number}{SUFFIX}" for number in range(6, flow.moments + 1)]:
        path.rename(tmp_path / path.name)
    committer = Committer(str(flow.out), str(flow.out / "hours"))
    before = list(committer.commit())
    for path in tmp_path.glob(f"part-*{SUFFIX}"):
        path.rename(parts / path.name)
    after = list(committer.commit())
    assert before
    assert after
    assert_same(tmp_path / "out" / "hours", batch(logs))


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 8)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    path = tmp_path / "out" / PARTS / f"part-1{SUFFIX}"
    path.write_text(path.read_text().replace(" ", "_", 1))
    with pytest.raises(DataError, match=f"part-1{SUFFIX}, byte 0: expected a part of an hour, received"):
        flow.commit()


def test_an_output_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"plan\.json: expected the plan of a job"):
        Committer(str(tmp_path), str(tmp_path / "hours"))


def test_a_log_lands_once_however_often_it_is_looked_at(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 9)
    logs.append(events[:100])
    assert list(land(logs.log, str(tmp_path / "landed"))) == [(0, 100)]
    assert list(land(logs.log, str(tmp_path / "landed"))) == []
    logs.append(events[100:])
    assert list(land(logs.log, str(tmp_path / "landed"))) == [(100, len(events))]
    assert [position for position, _ in records(tmp_path / "landed", logs.log)] == list(range(len(events)))


def test_what_landed_long_ago_goes_without_a_gap_and_the_newest_file_stays(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 8)
    folder = tmp_path / "landing" / EVENTS_FOLDER
    for part in np.array_split(np.arange(len(events)), 5):
        logs.append([events[place] for place in part])
        list(land(logs.log, str(folder)))
    files = sorted(folder.iterdir())
    (folder / f".{files[0].name}").write_text("A rewriting that broke off.")
    for path in (files[0], files[2], files[4]):  # The second and the fourth have been rewritten since.
        os.utime(path, (0, 0))
    arguments = ["--log", str(logs.log), "--to", str(tmp_path / "landing")]
    assert main(["land", *arguments, "--keep-days", "0.5"]) == 0
    assert sorted(folder.glob("[!.]*")) == files[3:]
    assert main(["land", *arguments]) == 0
    assert sorted(folder.glob("[!.]*")) == files[3:]


def test_visits_are_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 10)
    logs.append(closed(events))
    run(logs, flow := Flow(tmp_path / "out"))
    flow.commit()
    times_ms = read_enters(tmp_path / "out" / "hours").time_ms.tolist()
    assert times_ms == sorted(times_ms)
