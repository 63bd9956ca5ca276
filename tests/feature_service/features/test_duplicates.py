"""Duplicates are repeats within the hour."""

import pytest

from feature_service.features.duplicates import Duplicates
from feature_service.features.events import Event, EventKind

HOUR_MS = 3_600_000


def received(event_id: str, received_ms: int) -> Event:
    return Event(event_id, EventKind.LIKE, time_ms=5, received_ms=received_ms)


@pytest.mark.parametrize(
    ("later_ms", "repeat"), [(0, True), (HOUR_MS, True), (2 * HOUR_MS - 1, True), (2 * HOUR_MS, False)]
)
def test_id_is_known_in_its_hour_and_the_next(later_ms: int, repeat: bool) -> None:
    duplicates = Duplicates()
    duplicates.add(received("a", 10 * HOUR_MS))

    assert (received("a", 10 * HOUR_MS + later_ms) in duplicates) is repeat


def test_repeat_that_comes_out_of_order_over_the_hour_is_known() -> None:
    duplicates = Duplicates()
    duplicates.add(received("a", 10 * HOUR_MS))

    assert received("a", 10 * HOUR_MS - 1) in duplicates


def test_other_ids_are_not_known() -> None:
    duplicates = Duplicates()
    duplicates.add(received("a", HOUR_MS))

    assert received("b", HOUR_MS) not in duplicates
