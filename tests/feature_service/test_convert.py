"""Events on the wire: nothing is lost, and what is no event is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_service.convert import ConvertError, event_from_proto, event_to_proto
from feature_service.features.events import Event, EventKind
from protos.onair.v1 import event_pb2
from tests.feature_service.event_streams import PATIENT

_TEXT = st.text(max_size=8)
_FLOAT32 = st.floats(width=32, allow_nan=False)
_WHOLE = st.integers(-(2**63), 2**63 - 1)
_VECTOR = st.lists(_FLOAT32, max_size=4).map(tuple)
_SPECIAL = {
    "kind": st.sampled_from(EventKind),
    "position": st.integers(-1, 2**31 - 1),
    "propensity": _FLOAT32,
    "gift_value": st.floats(allow_nan=False),
    "sampled": st.booleans(),
    "content": _VECTOR,
    "attributes": st.dictionaries(_TEXT, st.one_of(_TEXT, st.floats(allow_nan=False), _VECTOR), max_size=3),
}
_WHOLES = ("time_ms", "watch_ms", "viewers", "lease_ms", "received_ms")
_EVENTS = st.builds(
    Event,
    **{name: _SPECIAL.get(name, _WHOLE if name in _WHOLES else _TEXT) for name in Event._fields},
)


@settings(PATIENT, max_examples=200)
@given(_EVENTS)
def test_an_event_is_the_same_after_the_wire(event: Event) -> None:
    message = event_pb2.Event.FromString(event_to_proto(event).SerializeToString())
    assert event_from_proto(message) == event


def test_event_and_message_have_the_same_fields() -> None:
    assert {field.name for field in event_pb2.Event.DESCRIPTOR.fields} == set(Event._fields)


def test_kinds_have_the_numbers_of_the_wire() -> None:
    names = {number: name for name, number in event_pb2.EventKind.items() if number}
    assert names == {kind.value: kind.name for kind in EventKind}


def test_what_a_message_leaves_out_is_not_given() -> None:
    message = event_pb2.Event(event_id="e", kind=event_pb2.EventKind.ROOM_UPDATED, time_ms=5)
    assert event_from_proto(message) == Event("e", EventKind.ROOM_UPDATED, 5)


def test_the_first_place_and_an_empty_room_are_given() -> None:
    message = event_pb2.Event(event_id="e", kind=event_pb2.EventKind.IMPRESSION, time_ms=5, position=0, viewers=0)
    event = event_from_proto(message)
    assert (event.position, event.viewers) == (0, 0)


def test_numbers_of_the_wire_are_rounded_once() -> None:
    event = Event("e", EventKind.IMPRESSION, 5, propensity=0.1)
    assert event_from_proto(event_to_proto(event)).propensity == np.float32(0.1)


@pytest.mark.parametrize("number", [0, 13, 99])
def test_an_unknown_kind_is_refused(number: int) -> None:
    message = event_pb2.Event.FromString(b"\x10" + bytes([number]))
    with pytest.raises(ConvertError, match=rf"kind: expected one of IMPRESSION \(1\), .*, received {number}"):
        event_from_proto(message)


def test_an_attribute_without_a_value_is_refused() -> None:
    message = event_pb2.Event(event_id="e", kind=event_pb2.EventKind.USER_UPDATED, time_ms=5)
    message.attributes["city"].SetInParent()
    with pytest.raises(ConvertError, match=r"attributes\.city: expected a category, a number or a vector"):
        event_from_proto(message)
