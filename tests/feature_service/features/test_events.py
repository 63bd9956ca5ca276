"""Events are checked field by field."""

from typing import Any

import pytest

from feature_service.features.events import MAX_AHEAD_MS, REQUIRED, EventKind, problem
from tests.feature_service.event_streams import START_MS, event


@pytest.mark.parametrize("kind", EventKind)
def test_an_event_with_all_ids_is_good(kind: EventKind) -> None:
    assert problem(event(kind), START_MS) is None


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in REQUIRED.items() for name in names])
def test_each_id_that_a_kind_needs_is_asked_for(kind: EventKind, name: str) -> None:
    missing: dict[str, Any] = {name: ""}
    found = problem(event(kind, **missing), START_MS)
    assert found == f"{name}: expected an id for {kind.name.lower()}, received an empty string"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("event_id", "", "event_id: expected a unique id, received an empty string"),
        ("user_id", "ü" * 129, "user_id: expected at most 256 bytes, received 258"),
        ("request_id", "x" * 257, "request_id: expected at most 256 bytes, received 257"),
        ("watch_ms", -1, "watch_ms: expected 0 to 31622400000, received -1"),
        ("watch_ms", 2**40, f"watch_ms: expected 0 to 31622400000, received {2**40}"),
        ("gift_value", -0.5, "gift_value: expected a finite value of 0 or more, received -0.5"),
        ("gift_value", float("nan"), "gift_value: expected a finite value of 0 or more, received nan"),
        ("propensity", 1.5, "propensity: expected 0 to 1, received 1.5"),
        ("lease_ms", -1, "lease_ms: expected 0 to 31622400000, received -1"),
        ("lease_ms", 2**62, f"lease_ms: expected 0 to 31622400000, received {2**62}"),
        ("position", -2, "position: expected 0 to 2147483647, received -2"),
        ("viewers", 2**31, "viewers: expected 0 to 2147483647, received 2147483648"),
        ("title", "x" * 1001, "title: expected at most 1000 characters, received 1001"),
        ("content", (0.0, float("inf")), "content: expected finite numbers, received nan or infinity"),
    ],
)
def test_a_bad_field_is_named_with_what_was_received(field: str, value: Any, message: str) -> None:
    assert problem(event(EventKind.LEAVE, **{field: value}), START_MS) == message


def test_a_time_that_is_none_is_refused() -> None:
    assert problem(event(EventKind.ENTER)._replace(time_ms=0), START_MS) == (
        "time_ms: expected Unix milliseconds, received 0"
    )


def test_a_clock_may_go_ahead_a_little_but_not_more() -> None:
    ahead = event(EventKind.ENTER, MAX_AHEAD_MS / 1000)
    assert problem(ahead, START_MS) is None
    assert problem(ahead, START_MS - 1) == "time_ms: expected at most 5000 ms ahead of the clock, received 5001 ms"
