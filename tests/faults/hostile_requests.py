"""Requests that nobody should send: noise, damaged messages, and messages with hostile values in their fields."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from protos.onair.v1 import recommendation_pb2 as pb

MARK = "secret-viewer-5f1b"
"""Is among the ids, and in every title: no log line may hold it."""

TEXTS = (
    *("", " ", "0", MARK, f"{MARK} sings", "home", "mmoe", "hot", "viewer", "anna", "anna/1", "../../../../etc/passwd"),
    *(
        "/dev/stdin",
        "..\\..\\boot.ini",
        "file:///etc/passwd",
        "a\x00b",
        "a\nERROR forged line",
        "\x1b[31mred",
        "\u202eabc",
    ),
    *("'; DROP TABLE users; --", "<script>alert(1)</script>", "{{7*7}}", "%s%n%x", "${jndi:ldap://x/a}", "*", "NaN"),
    *("é" * 128, "😀" * 64, "x" * 256, "x" * 257, "x" * 70_000, "\ud7ff\ue000", "AAAA", "====", "🙂\u0301"),
)
"""Ids, names and texts; few, so that what the service keeps of those that it accepts is soon complete."""

LONG = "x" * 1_000_000
LONG_SHARE = 1e-4
"""Of the texts."""

NUMBERS = (0, 1, 2, 5, 10, 100, 101, 1_000, 2**31 - 1, -1, -(2**31))
LONG_NUMBERS = (*NUMBERS, 2**63 - 1, -(2**63), 1_700_000_000_000)
FRACTIONS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"))

MOST_NOISE = 2_000
MOST_REPEATS = 4
MOST_DEPTH = 4

_METHODS = pb.DESCRIPTOR.services_by_name["RecommendationService"].methods


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: the method's name, the bytes of its message, and how they came about."""

    method: str
    message: bytes
    kind: str


def hostile_request(chance: random.Random) -> Sent:
    """Draws a request of any method."""
    method = chance.choice(_METHODS)
    kind = chance.choice(tuple(_KINDS))
    return Sent(method.name, _KINDS[kind](method.input_type, chance), kind)


def _noise(_: Descriptor, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(MOST_NOISE))


def _hostile(kind: Descriptor, chance: random.Random) -> bytes:
    message = message_factory.GetMessageClass(kind)()
    _fill(message, chance, MOST_DEPTH)
    return message.SerializeToString()


def _damaged(kind: Descriptor, chance: random.Random) -> bytes:
    """A message with a few bytes changed, cut out or doubled."""
    data = bytearray(_hostile(kind, chance))
    for _ in range(chance.randint(1, 5)):
        place, length = chance.randrange(len(data) + 1), chance.randint(0, 8)
        end = place + length
        data[place:end] = chance.choice((b"", chance.randbytes(length), bytes(data[place:end]) * 2))
    return bytes(data)


_KINDS: Mapping[str, Callable[[Descriptor, random.Random], bytes]] = {
    "noise": _noise,
    "damaged": _damaged,
    "hostile": _hostile,
}


def _fill(message: Message, chance: random.Random, depth: int) -> None:
    """Sets some of the fields, each to a value that its type can hold."""
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.7:
            _set(message, field, chance, depth)


def _set(message: Message, field: Any, chance: random.Random, depth: int) -> None:
    held: Any = getattr(message, field.name)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        value = entry.fields_by_name["value"]
        for _ in range(chance.randint(0, MOST_REPEATS)):
            key = _value(entry.fields_by_name["key"], chance)
            if value.message_type is not None:
                _fill(held[key], chance, depth - 1)
            else:
                held[key] = _value(value, chance)
    elif entry is not None:
        for _ in range(chance.randint(0, MOST_REPEATS) if field.is_repeated else depth > 0):
            _fill(held.add() if field.is_repeated else held, chance, depth - 1)
    elif field.is_repeated:
        held.extend([_value(field, chance) for _ in range(chance.randint(0, MOST_REPEATS))])
    else:
        setattr(message, field.name, _value(field, chance))


def _value(field: Any, chance: random.Random) -> Any:
    kinds: Mapping[int, Sequence[Any]] = {
        FieldDescriptor.CPPTYPE_STRING: TEXTS,
        FieldDescriptor.CPPTYPE_INT32: NUMBERS,
        FieldDescriptor.CPPTYPE_INT64: LONG_NUMBERS,
        FieldDescriptor.CPPTYPE_FLOAT: (0.0, 1.0, -1.0, 3e38, float("inf"), float("nan")),
        FieldDescriptor.CPPTYPE_DOUBLE: FRACTIONS,
        FieldDescriptor.CPPTYPE_BOOL: (False, True),
        FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 7, 99, -1),
    }
    value = chance.choice(kinds[field.cpp_type])
    if not isinstance(value, str):
        return value
    text = LONG if chance.random() < LONG_SHARE else value
    return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
