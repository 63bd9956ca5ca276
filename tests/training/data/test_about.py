"""What a log says of itself."""

from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from training.data.about import FILE, Observer, read_about, write_about
from training.data.errors import DataError
from training.data.sources import Written

WRITTEN = Written(events=2, files=1, first_ms=1, last_ms=2)


def profile(**attributes: str | float | tuple[float, ...]) -> Event:
    return Event("event-1", EventKind.USER_UPDATED, 1, "user-1", attributes=attributes)


def test_attributes_are_declared_by_entity_as_they_occur(tmp_path: Path) -> None:
    room = Event("event-2", EventKind.ROOM_STARTED, 2, "", "room-1", "streamer-1", attributes={"price": 1.0})
    observer = Observer([profile(age_band="18-24", embedding=(1.0, 2.0)), room])
    assert len(list(observer)) == 2
    write_about(tmp_path, observer.about("test", "here", ("nothing",), WRITTEN))
    about = read_about(tmp_path)
    assert about is not None
    assert about.attributes == {
        "user": {"age_band": {"kind": "category"}, "embedding": {"kind": "vector", "width": 2}},
        "streamer": {},
        "room": {"price": {"kind": "number"}},
    }
    assert (about.lacks, about.events, about.first_ms, about.last_ms) == (("nothing",), 2, 1, 2)


def test_a_head_without_an_event_that_decides_it_has_no_labels() -> None:
    observer = Observer([Event("event-1", EventKind.ENTER, 1, "user-1", "room-1", "streamer-1")])
    list(observer)
    assert observer.about("test", "here", (), WRITTEN).heads == ("enter",)
    assert observer.about("test", "here", (), WRITTEN, heads=("like",)).heads == ()


def test_an_attribute_that_changes_its_kind_is_refused() -> None:
    with pytest.raises(DataError, match=r"event event-1: attribute level: expected \{'kind': 'number'\}, received"):
        list(Observer([profile(level=1.0), profile(level="high")]))


def test_content_vectors_that_change_their_width_are_refused() -> None:
    rooms = [
        Event(f"event-{width}", EventKind.ROOM_STARTED, 1, "", "room-1", "streamer-1", content=(1.0,) * width)
        for width in (2, 3)
    ]
    with pytest.raises(DataError, match=r"event event-3: content: expected 2 numbers as before, received 3"):
        list(Observer(rooms))


def test_a_log_without_a_description_has_none_and_a_broken_one_is_named(tmp_path: Path) -> None:
    assert read_about(tmp_path) is None
    (tmp_path / FILE).write_text("{")
    with pytest.raises(DataError, match=r"about\.json: not readable as JSON"):
        read_about(tmp_path)
    (tmp_path / FILE).write_text('{"importer": "x"}')
    with pytest.raises(DataError, match=r"about\.json: expected the fields of a log's description"):
        read_about(tmp_path)
