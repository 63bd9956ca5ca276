"""Codecs: how the records of a log become bytes, and what one of them is called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from feature_service.convert import event_from_proto, event_to_proto
from feature_service.features.events import Event
from protos.onair.v1 import event_pb2

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Codec(Generic[Record]):
    """What a log needs to know of its records.

    Attributes:
        to_bytes: The payload of a record.
        from_bytes: The record of a payload.
        name: What an error calls a record.
    """

    to_bytes: Callable[[Record], bytes]
    from_bytes: Callable[[bytes], Record]
    name: Callable[[Record], str]


EVENTS: Codec[Event] = Codec(
    to_bytes=lambda event: event_to_proto(event).SerializeToString(),
    from_bytes=lambda payload: event_from_proto(event_pb2.Event.FromString(payload)),
    name=lambda event: f"event {event.event_id!r}",
)
"""Events, as `onair.v1.Event`."""
