"""Erasures: what is noted of a user who was erased, how long the id stays, and what a restart finds."""

from pathlib import Path

import pytest

from feature_service.erasures import SETTLED_MS, Erasures
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.log.protocol import LogError
from tests.feature_service.event_streams import START_MS, event


def erasing(user_id: str, at_s: float = 0, received_s: float = 5) -> Event:
    received_ms = START_MS + round(received_s * 1000)
    return event(EventKind.USER_ERASED, at_s, user_id=user_id, room_id="", streamer_id="", received_ms=received_ms)


def test_what_happened_until_the_event_was_received_is_erased_for_good(tmp_path: Path) -> None:
    erasures = Erasures.open(tmp_path / "erasures")
    erasures.add(erasing("u"), 7)
    erasures.done(erasures.due(START_MS + 2 * SETTLED_MS))
    for each in (erasures, Erasures.open(tmp_path / "erasures")):
        assert each.until_ms(key_of("user", "u")) == START_MS + 5_000
        assert each.until_ms(key_of("user", "v")) == 0


def test_the_id_stays_until_its_traces_are_gone_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "erasures"
    erasures = Erasures.open(path)
    erasures.add(erasing("the-user"), 7)
    assert erasures.due(START_MS + 5_000 + SETTLED_MS - 1) == []
    due = Erasures.open(path).due(START_MS + 5_000 + SETTLED_MS)
    assert [(each.user_id, each.position) for each in due] == [("the-user", 7)]
    erasures.done(due)
    assert "the-user" not in path.read_text()
    assert Erasures.open(path).due(START_MS + 2 * SETTLED_MS) == []


def test_an_event_that_a_restart_reads_again_changes_nothing(tmp_path: Path) -> None:
    erasures = Erasures.open(tmp_path / "erasures")
    erasures.add(erasing("u"), 7)
    erasures.done(erasures.due(START_MS + 2 * SETTLED_MS))
    erasures.add(erasing("u"), 7)
    assert erasures.due(START_MS + 2 * SETTLED_MS) == []


def test_who_comes_back_can_be_erased_again_even_while_the_logs_are_rewritten(tmp_path: Path) -> None:
    erasures = Erasures.open(tmp_path / "erasures")
    erasures.add(erasing("u"), 7)
    first = erasures.due(START_MS + 2 * SETTLED_MS)
    erasures.add(erasing("u", received_s=60), 9)
    erasures.done(first)
    assert [each.position for each in erasures.due(START_MS + 2 * SETTLED_MS)] == [9]


def test_an_event_that_was_made_anonymous_erases_nobody(tmp_path: Path) -> None:
    erasures = Erasures.open(tmp_path / "erasures")
    erasures.add(erasing(""), 7)
    assert not (tmp_path / "erasures").exists()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "erasures").write_text('{"key": 1}\n')
    with pytest.raises(LogError, match="erasures: expected a line of JSON for each user who was erased"):
        Erasures.open(tmp_path / "erasures")
