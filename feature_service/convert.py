"""Events between Protobuf (the wire and the log) and the domain."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from feature_service.features.events import NO_ATTRIBUTES, AttributeValue, Event, EventKind
from protos.onair.v1 import event_pb2

_DEFAULTS: Mapping[str, Any] = {"event_id": "", "time_ms": 0} | Event._field_defaults
_PLACE = {name: place for place, name in enumerate(Event._fields)}
_PLAIN = tuple(
    (place, name, _DEFAULTS[name]) for name, place in _PLACE.items() if name not in ("kind", "content", "attributes")
)
"""Fields that are the same scalar on both sides: place in the tuple, name, and the value that is not sent."""

_OPTIONAL = ("position", "viewers")
"""Fields whose zero is a value, so that the message says whether they are given."""

_READ = attrgetter(*Event._fields)
_KINDS: Mapping[int, EventKind] = {int(kind): kind for kind in EventKind}


class ConvertError(ValueError):
    """A message that stands for no event: names the field, what was expected and received."""


def event_to_proto(event: Event) -> event_pb2.Event:
    """The message of an event; what is not given stays unset.

    `propensity`, `content` and vector attributes are float32 on the wire: other values are rounded.
    """
    given: dict[str, Any] = {name: event[place] for place, name, unset in _PLAIN if event[place] != unset}
    if event.content:
        given["content"] = event.content
    if event.attributes:
        given["attributes"] = {name: _attribute(value) for name, value in event.attributes.items()}
    return event_pb2.Event(kind=int(event.kind), **given)  # pyright: ignore[reportArgumentType]


def event_from_proto(message: event_pb2.Event) -> Event:
    """The event of a message.

    Raises:
        ConvertError: The kind is none of the known ones, or an attribute has no value.
    """
    values: list[Any] = list(_READ(message))
    kind = _KINDS.get(message.kind)
    if kind is None:
        raise ConvertError(f"kind: expected one of {_spoken_kinds()}, received {message.kind}")
    values[_PLACE["kind"]] = kind
    for name in _OPTIONAL:
        if not message.HasField(name):
            values[_PLACE[name]] = _DEFAULTS[name]
    values[_PLACE["content"]] = tuple(message.content)
    values[_PLACE["attributes"]] = (
        {name: _value(name, each) for name, each in message.attributes.items()} if message.attributes else NO_ATTRIBUTES
    )
    return Event._make(values)


def _attribute(value: AttributeValue) -> event_pb2.Attribute:
    if isinstance(value, str):
        return event_pb2.Attribute(category=value)
    if isinstance(value, tuple):
        return event_pb2.Attribute(vector=event_pb2.Vector(values=value))
    return event_pb2.Attribute(number=value)


def _value(name: str, attribute: event_pb2.Attribute) -> AttributeValue:
    which = attribute.WhichOneof("value")
    if which is None:
        raise ConvertError(f"attributes.{name}: expected a category, a number or a vector, received nothing")
    return tuple(attribute.vector.values) if which == "vector" else getattr(attribute, which)


def _spoken_kinds() -> str:
    return ", ".join(f"{kind.name} ({kind.value})" for kind in EventKind)
