"""Sample sets in parts: the newest finished revision of each hour is read, and all hours as one set."""

from pathlib import Path

import numpy as np
import pytest

from feature_service.features.events import Event
from tests.training.data.small_logs import END_S, T0_MS, seen, started
from training.data.about import Observer, write_about
from training.data.errors import DataError
from training.data.hours import HOUR_MS, hour_name, revision_name
from training.data.sample_set import build_samples
from training.data.samples_io import ABOUT, read_rooms, read_sample_about, read_samples
from training.data.sources import write_log

HOUR = T0_MS // HOUR_MS


def revision(folder: Path, hour: int, number: int, seconds: list[float]) -> Path:
    """A finished revision in which a viewer saw a room at these times."""
    events = [started("a1", 0), *(seen(at, "u", "a1", f"r{at}") for at in seconds), started("z9", END_S)]
    log = folder / f"log {hour} {number}"
    observer = Observer(events)
    written = write_log(log, list[Event](observer))
    write_about(log, observer.about("by hand", "", (), written))
    target = folder / "samples" / revision_name(hour, number)
    build_samples(log, target)
    return target


def test_an_hour_is_named_in_utc() -> None:
    # Noon of 5 May 2025.
    assert hour_name(HOUR) == "hour=2025-05-05T12"


def test_hours_read_as_one_set(tmp_path: Path) -> None:
    revision(tmp_path, HOUR, 1, [10, 20])
    revision(tmp_path, HOUR + 1, 1, [30])
    samples, about = read_samples(tmp_path / "samples"), read_sample_about(tmp_path / "samples")
    assert (samples.slates.time_ms - T0_MS).tolist() == [10_000, 20_000, 30_000]
    assert samples.candidates.slate.tolist() == [0, 1, 2]
    assert (about.slates, about.candidates, about.events) == (3, 3, 7)


def test_hours_can_be_chosen(tmp_path: Path) -> None:
    for hour, at in ((HOUR, 10), (HOUR + 1, 20), (HOUR + 2, 30)):
        revision(tmp_path, hour, 1, [at])
    chosen = (HOUR + 1, HOUR + 2)
    assert (read_samples(tmp_path / "samples", chosen).slates.time_ms - T0_MS).tolist() == [20_000, 30_000]
    assert read_sample_about(tmp_path / "samples", chosen).slates == 2
    assert len(np.unique(read_rooms(tmp_path / "samples", chosen).room)) == 2


def test_the_newest_finished_revision_counts(tmp_path: Path) -> None:
    revision(tmp_path, HOUR, 1, [10])
    revision(tmp_path, HOUR, 2, [20])
    (revision(tmp_path, HOUR, 3, [30]) / ABOUT).unlink()
    assert (read_samples(tmp_path / "samples").slates.time_ms - T0_MS).tolist() == [20_000]


def test_hours_without_a_finished_revision_are_refused(tmp_path: Path) -> None:
    (revision(tmp_path, HOUR, 1, [10]) / ABOUT).unlink()
    with pytest.raises(DataError, match="samples: expected a finished revision of an hour, found none"):
        read_samples(tmp_path / "samples")
    span = r"from hour=2025-05-05T13 to hour=2025-05-05T14, found none"
    with pytest.raises(DataError, match=span):
        read_samples(tmp_path / "samples", (HOUR + 1, HOUR + 2))
