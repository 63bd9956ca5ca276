"""Feature values for people: what the ranker reads of a user and of rooms, with names, words and ages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.facts import Facts
from feature_service.features.families import COLUMNS
from feature_service.features.layout import Layout
from feature_service.features.reducers import Entry, Latest, Recent
from feature_service.features.schema import Encoding, Feature, Side, key_of
from feature_service.features.view import View

MOST_VALUES = 16
"""Numbers of a sequence or a vector that are told; the rest is of no use to a reader."""

_ROOM_TEXTS = ("category", "language", "activity")
_CONTEXT_TEXTS = ("scene", "device", "network", "region")


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """One feature of a user or a room.

    Attributes:
        name: As in the catalogue.
        unit: Of the numbers.
        numbers: Raw, as the ranker gets them.
        texts: Instead of numbers, of what is an id; empty texts are ids that nobody remembers.
        age_ms: Since the newest event that gave it; None = it keeps no time.
    """

    name: str
    unit: str
    numbers: tuple[float, ...]
    texts: tuple[str, ...]
    age_ms: int | None


def feature_values(
    catalog: Catalog, layout: Layout, view: View, facts: Facts
) -> tuple[list[FeatureValue], list[list[FeatureValue]]]:
    """The values of a layout's columns.

    Args:
        catalog: Knows the features.
        layout: Which of them.
        view: One user and N rooms.
        facts: The words behind keys.

    Returns:
        The user's values, and those of each room, [N].
    """
    words = _words(view, facts)
    user: list[FeatureValue] = []
    rooms: list[list[FeatureValue]] = [[] for _ in range(len(view.room))]
    for tensor in layout.tensors:
        for column in tensor.columns:
            feature = catalog.by_reference[column.name, column.version]
            lines = [user] if feature.side is Side.USER else rooms
            values, ages = np.asarray(feature.value(view)), _ages_ms(feature, view, len(lines))
            shape = len(lines), math.prod(values.shape[1:])
            values = np.broadcast_to(values, (len(lines), *values.shape[1:])).reshape(shape)
            for line, row, age_ms in zip(lines, values, ages, strict=True):
                line.append(_value(feature, row[:MOST_VALUES], age_ms, words))
    return user, rooms


def _value(
    feature: Feature, values: NDArray[Any], age_ms: int | None, words: Mapping[tuple[str, int], str]
) -> FeatureValue:
    if feature.encoding is Encoding.ID:
        texts = tuple(words.get((feature.vocabulary, key), "") for key in values.tolist() if key)
        return FeatureValue(feature.name, feature.unit, (), texts, age_ms)
    return FeatureValue(feature.name, feature.unit, tuple(map(float, values.tolist())), (), age_ms)


def _ages_ms(feature: Feature, view: View, count: int) -> Sequence[int | None]:
    """The age of each line's value: of the newest event behind it, as far as the records keep its time."""
    times_ms = [time for memory in feature.memories if (time := _times_ms(memory, view)) is not None]
    if not times_ms:
        return [None] * count
    newest = np.broadcast_to(np.max(times_ms, axis=0), count)
    now_ms = int(view.now_ms[0])
    return [now_ms - time if time else None for time in newest.tolist()]


def _times_ms(memory: object, view: View) -> NDArray[np.int64] | None:
    if isinstance(memory, Latest):
        return COLUMNS[memory.entity](view)[f"given_ms.{memory.field}"]
    if isinstance(memory, Recent):
        return COLUMNS[memory.entity](view)[memory.field][:, Entry.TIME_MS, 0]
    return None


def _words(view: View, facts: Facts) -> dict[tuple[str, int], str]:
    """Text by vocabulary and key, as far as the rooms of the view and the context know it."""
    words: dict[tuple[str, int], str] = {}
    for key in [*view.room["streamer"].tolist(), *view.user["watched"][0, Entry.STREAMER].tolist()]:
        words["streamer", key] = facts.streamers.get(key, "")
    words["user", int(view.user_keys[0])] = facts.users.get(int(view.user_keys[0]), "")
    watched = view.user["watched"][0, Entry.ROOM].tolist()
    for room in filter(None, map(facts.rooms.get, [*view.room["key"].tolist(), *watched])):
        texts = [(name, room.text(name)) for name in _ROOM_TEXTS]
        texts += [("token", token) for token in room.text("title").lower().split()]
        words.update({(name, key_of(name, text)): text for name, text in texts if text})
    context = view.contexts[0]
    words.update({(name, key_of(name, text)): text for name in _CONTEXT_TEXTS if (text := getattr(context, name))})
    words.update({("hour", key_of("hour", str(hour))): f"{hour}:00" for hour in range(24)})
    words.update({("weekday", key_of("weekday", str(i))): name for i, name in enumerate(_WEEKDAYS)})
    return words


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
