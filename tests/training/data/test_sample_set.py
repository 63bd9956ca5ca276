"""Sample sets: from a log to shards, and back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from feature_service.features.events import Event, EventKind
from feature_service.features.layout import LayoutError
from feature_service.features.schema import key_of
from feature_service.settings import load
from tests.training.data.small_logs import END_S, event, ms, seen, started, viewer
from training.data.about import Observer, read_about, write_about
from training.data.errors import DataError
from training.data.join import JOIN_COLUMNS, join
from training.data.platform import catalog_of
from training.data.replay import Replay
from training.data.sample_set import build_samples
from training.data.samples_io import read_enters, read_rooms, read_sample_about, read_samples
from training.data.sources import read_columns, read_log, write_log
from training.heads import HEAD_NAMES

EVENTS = [
    event(EventKind.USER_UPDATED, 0, user_id="u", attributes={"age": 30.0}),
    started("a1", 1, content=(0.5, -1.0)),
    seen(10, "u", "a1", "r1", position=0, propensity=0.5),
    seen(11, "u", "b1", "r1", position=1, sampled=True),
    viewer(EventKind.ENTER, 12, "u", "a1", "r1"),
    viewer(EventKind.LEAVE, 90, "u", "a1", "r1", watch_ms=78_000),
    seen(200, "v", "a1", "r2"),
    event(EventKind.ROOM_ENDED, 300, room_id="a1"),
    started("z9", END_S),
]


def write(log: Path, events: Sequence[Event] = EVENTS) -> Path:
    """A log with its description."""
    observer = Observer(events)
    written = write_log(log, observer)
    write_about(log, observer.about("by hand", "", ("no likes",), written))
    return log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log")


def test_samples_come_back_as_replay_and_join_made_them(log: Path, tmp_path: Path):
    about = build_samples(log, tmp_path / "samples")
    samples = read_samples(tmp_path / "samples")
    catalog = catalog_of(read_about(log))
    (chunk,) = Replay(catalog, samples.layout).chunks(read_log(log))
    assert catalog.fingerprint == about.fingerprint
    found = {**samples.slates.tensors, **samples.candidates.tensors}
    expected = {**chunk.slates.tensors, **chunk.candidates.tensors}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        assert np.array_equal(found[name], values), name
    joined = join(read_columns(log, JOIN_COLUMNS), about.heads).of(chunk.event)
    for name in ("labels", "mask", "censored"):
        assert np.array_equal(getattr(samples.candidates, name), getattr(joined, name)), name
    for name in ("slate", "room", "streamer", "position", "propensity", "sampled"):
        assert np.array_equal(getattr(samples.candidates, name), getattr(chunk.candidates, name)), name
    assert np.array_equal(samples.slates.time_ms, chunk.slates.time_ms)
    assert np.array_equal(samples.slates.user, chunk.slates.user)


def test_the_description_says_what_was_met_and_what_is_lacking(log: Path, tmp_path: Path):
    about = build_samples(log, tmp_path / "samples")
    assert read_sample_about(tmp_path / "samples") == about
    assert about.heads == ("enter", "long_watch", "watch_time")
    assert about.lacks == ("no likes",)
    assert (about.events, about.slates, about.candidates, about.sampled) == (9, 2, 3, 1)
    assert (about.first_ms, about.last_ms) == (ms(0), ms(END_S))


def test_labels_of_the_log_are_joined(log: Path, tmp_path: Path):
    build_samples(log, tmp_path / "samples")
    candidates = read_samples(tmp_path / "samples").candidates
    columns = [HEAD_NAMES.index(name) for name in ("enter", "long_watch", "watch_time", "like")]
    assert candidates.labels[:, columns].tolist() == [[1, 1, 78, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    known = [[True, True, True, False], [True, True, False, False], [True, True, False, False]]
    assert candidates.mask[:, columns].tolist() == known


def test_rooms_and_enters_come_back(log: Path, tmp_path: Path):
    about = build_samples(log, tmp_path / "samples")
    rooms, enters = read_rooms(tmp_path / "samples"), read_enters(tmp_path / "samples")
    assert about.room_versions == len(rooms.room) == 2
    (row,) = rooms.live_at(ms(100))
    assert (rooms.room[row], rooms.stop_ms[row]) == (key_of("room", "a1"), ms(300))
    assert rooms.tensors["candidate_vectors"][row].tolist() == [0.5, -1]
    assert (enters.time_ms.tolist(), enters.user.tolist()) == ([ms(12)], [key_of("user", "u")])


def test_several_shards_are_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events = [started("a1", 0), *(seen(i, f"u{i}", "a1", f"r{i}") for i in range(1, 6)), started("z9", END_S)]
    log = write(tmp_path / "log", events)
    monkeypatch.setattr("training.data.sample_set.CHUNK_SLATES", 2)
    build_samples(log, tmp_path / "samples")
    assert len(list((tmp_path / "samples").glob("slates-*.parquet"))) == 3
    samples = read_samples(tmp_path / "samples")
    assert samples.slates.user.tolist() == [key_of("user", f"u{i}") for i in range(1, 6)]
    assert samples.candidates.slate.tolist() == [0, 1, 2, 3, 4]


def test_features_and_heads_can_be_chosen(log: Path, tmp_path: Path):
    build_samples(log, tmp_path / "samples", features=["room.*.total", "user.id"], heads=["enter"])
    samples = read_samples(tmp_path / "samples")
    assert [tensor.name for tensor in samples.layout.tensors] == ["user_ids", "candidate_floats"]
    assert samples.layout.heads == ("enter",)
    assert samples.candidates.mask.any(axis=0).tolist() == [name == "enter" for name in HEAD_NAMES]


def test_a_service_with_the_settings_has_the_same_catalogue(log: Path, tmp_path: Path):
    about = build_samples(log, tmp_path / "samples")
    settings = load(tmp_path / "samples" / "settings.toml")
    assert catalog_of(None, settings).fingerprint == about.fingerprint
    assert settings.service.content_width == 2


def test_a_truncated_shard_is_named(log: Path, tmp_path: Path):
    build_samples(log, tmp_path / "samples")
    shard = tmp_path / "samples" / "candidates-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"candidates-00000.parquet: not readable as Parquet"):
        read_samples(tmp_path / "samples")


def test_a_shard_that_lacks_a_column_is_named(log: Path, tmp_path: Path):
    build_samples(log, tmp_path / "samples")
    (tmp_path / "samples" / "candidates-00000.parquet").write_bytes(
        (tmp_path / "samples" / "slates-00000.parquet").read_bytes()
    )
    with pytest.raises(DataError, match=r"candidates-00000.parquet: expected a column candidate_floats, found none"):
        read_samples(tmp_path / "samples")


def test_a_missing_shard_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    events = [started("a1", 0), *(seen(i, f"u{i}", "a1", f"r{i}") for i in range(1, 6)), started("z9", END_S)]
    monkeypatch.setattr("training.data.sample_set.CHUNK_SLATES", 2)
    build_samples(write(tmp_path / "log", events), tmp_path / "samples")
    (tmp_path / "samples" / "slates-00001.parquet").unlink()
    with pytest.raises(DataError, match="expected 5 slates and 5 candidates"):
        read_samples(tmp_path / "samples")


def test_an_unfinished_set_is_not_read_and_is_written_again(log: Path, tmp_path: Path):
    samples = tmp_path / "samples"
    build_samples(log, samples)
    (samples / "about.json").unlink()
    with pytest.raises(DataError, match=r"expected a finished sample set, found no about.json"):
        read_samples(samples)
    assert build_samples(log, samples).slates == 2


@pytest.mark.parametrize("taken", ["finished", "log"])
def test_other_data_is_never_overwritten(log: Path, tmp_path: Path, taken: str):
    build_samples(log, tmp_path / "finished")
    with pytest.raises(DataError, match="expected a directory without data"):
        build_samples(log, tmp_path / taken)


def test_a_log_without_impressions_is_refused(tmp_path: Path):
    log = write(tmp_path / "log", [started("a1", 0)])
    with pytest.raises(DataError, match="expected impressions, found none among 1 events"):
        build_samples(log, tmp_path / "samples")


def test_a_head_without_labels_is_refused(log: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"heads: expected some of enter, long_watch, watch_time .* received 'gift'"):
        build_samples(log, tmp_path / "samples", heads=["gift"])


def test_a_pattern_without_features_is_refused_before_anything_is_written(log: Path, tmp_path: Path):
    with pytest.raises(LayoutError, match=r"received 'bogus.\*'"):
        build_samples(log, tmp_path / "samples", features=["bogus.*"])
    assert not (tmp_path / "samples").exists()


def test_progress_is_told(log: Path, tmp_path: Path):
    told: list[int] = []
    build_samples(log, tmp_path / "samples", on_progress=lambda counts: told.append(counts.events))
    assert told


def test_delays_are_kept_when_they_are_wanted(log: Path, tmp_path: Path):
    build_samples(log, tmp_path / "with", delays=True)
    build_samples(log, tmp_path / "without")
    found = read_samples(tmp_path / "with").candidates.delay_s
    assert found is not None
    # Seen at 10 s, entered at 12 s; nobody entered from the other two impressions.
    assert found[:, HEAD_NAMES.index("enter")].tolist() == [2, np.inf, np.inf]
    assert read_samples(tmp_path / "without").candidates.delay_s is None
