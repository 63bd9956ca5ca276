"""A platform's own attributes become features by declaration alone."""

from typing import Any

import numpy as np
import pytest

from feature_service.features.attributes import problem
from feature_service.features.events import EventKind
from feature_service.features.schema import Encoding, Feature, key_of
from feature_service.features.view import Context
from tests.feature_service.event_streams import ATTRIBUTES, CATALOG, START_MS, event, state_of

STATE = state_of(
    event(EventKind.USER_UPDATED, attributes={"city": "Porto"}),
    event(EventKind.STREAMER_UPDATED, attributes={"level": 3.5}),
    event(EventKind.ROOM_STARTED, attributes={"cover": (0.5, -1.0)}),
)


def _feature(name: str) -> Feature:
    return CATALOG.by_reference[name, 1]


def _value(name: str) -> Any:
    one = np.ones(1, np.intp)
    return _feature(name).value(STATE.view(key_of("user", "u"), one, one, Context(), START_MS))


def test_a_category_is_a_key_of_its_own_vocabulary() -> None:
    feature = _feature("user.attribute.city")
    assert (feature.encoding, feature.dtype, feature.vocabulary) == (Encoding.ID, "int64", "user.city")
    assert _value("user.attribute.city").tolist() == [key_of("city", "Porto")]


def test_a_number_stays_a_number() -> None:
    assert _feature("streamer.attribute.level").dtype == "float32"
    assert _value("streamer.attribute.level").tolist() == [3.5]


def test_a_vector_has_its_width() -> None:
    assert _feature("room.attribute.cover").width == 2
    assert _value("room.attribute.cover").tolist() == [[0.5, -1.0]]


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (
            EventKind.USER_UPDATED,
            {"city": 3.0},
            "attributes.city: expected a text of at most 1000 characters, received 3.0",
        ),
        (EventKind.STREAMER_UPDATED, {"level": "high"}, "attributes.level: expected a finite number, received 'high'"),
        (EventKind.STREAMER_UPDATED, {"level": np.inf}, "attributes.level: expected a finite number, received inf"),
        (
            EventKind.ROOM_STARTED,
            {"cover": (1.0,)},
            "attributes.cover: expected a vector of 2 finite numbers, received (1.0,)",
        ),
        (
            EventKind.ROOM_UPDATED,
            {"cover": (1.0, np.nan)},
            "attributes.cover: expected a vector of 2 finite numbers, received (1.0, nan)",
        ),
        (
            EventKind.USER_UPDATED,
            {"level": 1.0},
            "attributes.level: expected one of the declared attributes (city)",
        ),
        (EventKind.ENTER, {"city": "Porto"}, "attributes.city: expected one of the declared attributes (none)"),
    ],
)
def test_what_was_not_declared_is_refused(kind: EventKind, given: dict[str, Any], message: str) -> None:
    assert problem(event(kind, attributes=given), ATTRIBUTES) == message


def test_declared_attributes_are_good() -> None:
    assert problem(event(EventKind.ROOM_UPDATED, attributes={"cover": (1.0, 2.0)}), ATTRIBUTES) is None
    assert problem(event(EventKind.USER_UPDATED, attributes={"city": ""}), ATTRIBUTES) is None
