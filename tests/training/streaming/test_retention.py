"""Retention of samples by the hour: hours that have been over for too long go, and the others stay as they are."""

from pathlib import Path
from typing import Any

from pyarrow import fs

from tests.training.streaming.service_logs import CATALOG, START_MS, closed, made_up
from training.__main__ import main
from training.data.hours import HOUR_MS, hour_name, remove_hours
from training.data.sample_reader import ABOUT
from training.data.samples_io import read_samples
from training.streaming.schedule import Schedule
from training.streaming.worker import Worker

HOUR = START_MS // HOUR_MS


def test_hours_that_have_been_over_for_too_long_go_and_the_others_stay(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 9)
    logs.append(events, at_once=100)
    for name, keep_hours in (("all", None), ("some", 2)):
        worker = Worker(logs.log, logs.served, tmp_path / name, CATALOG, keep_hours=keep_hours)
        for _ in (*worker.catch_up(), *worker.write()):
            pass
    first = Schedule().oldest_open(max(each.received_ms for each in events)) - 2
    every, kept = ({path.name for path in (tmp_path / name).glob("hour=*")} for name in ("all", "some"))
    assert kept == {name for name in every if name >= hour_name(first)} < every
    found = read_samples(tmp_path / "all").slates.time_ms
    assert read_samples(tmp_path / "some").slates.time_ms.tolist() == found[found >= first * HOUR_MS].tolist()
    settings = tmp_path / "settings.toml"
    settings.write_text("[service]\ncontent_width = 2\n")
    logs.append(closed(events)[len(events) :])
    for name, words in (("all", []), ("some", ["--keep-days", "0.25"])):  # Each goes on.
        paths = [f"--log={logs.log}", f"--served={logs.served}", f"--samples={tmp_path / name}"]
        assert main(["worker", *paths, f"--settings={settings}", "--once", *words]) == 0
    last = Schedule().oldest_open(closed(events)[-1].received_ms) - 1
    every, kept = ({path.name for path in (tmp_path / name).glob("hour=*")} for name in ("all", "some"))
    assert kept == {name for name in every if name > hour_name(last - 6)} < every


def test_an_hour_that_is_removed_is_unfinished_first(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, 9, hours=1)
    logs.append(events, at_once=100)
    worker = Worker(logs.log, logs.served, tmp_path / "hours", CATALOG)
    for _ in (*worker.catch_up(), *worker.write()):
        pass
    local, done = fs.LocalFileSystem(), list[str]()

    class Telling:
        def __getattr__(self, name: str) -> Any:
            return getattr(local, name)

        def delete_file(self, path: str) -> None:
            done.append(path)
            local.delete_file(path)

        def delete_dir(self, path: str) -> None:
            done.append(path)
            local.delete_dir(path)

    telling: Any = Telling()
    remove_hours(telling, str(tmp_path / "hours"), HOUR + 1, ABOUT)
    assert [Path(path).name for path in done] == [ABOUT, hour_name(HOUR)]
    assert not (tmp_path / "hours" / hour_name(HOUR)).exists()
