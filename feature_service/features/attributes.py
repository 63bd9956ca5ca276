"""Attributes: a platform's own properties of users, streamers and rooms become features by settings alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from feature_service.features.events import MAX_TEXT, AttributeValue, Event, EventKind
from feature_service.features.families import COLUMNS, side_of
from feature_service.features.reducers import Entity, Keys, Latest
from feature_service.features.schema import Encoding, Feature, key_of
from feature_service.features.view import View


class AttributeKind(StrEnum):
    """What an attribute's value is."""

    CATEGORY = "category"
    NUMBER = "number"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared attribute, `[attributes.<entity>.<name>]` of the settings.

    Attributes:
        entity: User, streamer or room.
        name: The key in an event's `attributes`.
        kind: Category (text), number or vector.
        width: Numbers of a vector; 1 for the others.
    """

    entity: Entity
    name: str
    kind: AttributeKind
    width: int = 1

    def feature(self) -> Feature:
        """The feature `<entity>.attribute.<name>`."""
        columns, field = COLUMNS[self.entity], f"attribute.{self.name}"

        def value(view: View) -> NDArray[Any]:
            return columns(view)[field]

        return Feature(
            name=f"{self.entity}.{field}",
            side=side_of(self.entity),
            doc=f"Attribute {self.name} of the {self.entity}, from the settings.",
            unit="key" if self.kind is AttributeKind.CATEGORY else "1",
            encoding=_ENCODINGS[self.kind],
            vocabulary=f"{self.entity}.{self.name}" if self.kind is AttributeKind.CATEGORY else "",
            width=self.width,
            value=value,
            memories=(self._memory(field),),
        )

    def problem(self, value: AttributeValue) -> str | None:
        """Says what is wrong with a value of this attribute, or None."""
        if self.kind is AttributeKind.CATEGORY:
            fits = isinstance(value, str) and len(value) <= MAX_TEXT
            return None if fits else self._expected(f"a text of at most {MAX_TEXT} characters", value)
        if self.kind is AttributeKind.NUMBER:
            fits = isinstance(value, float | int) and math.isfinite(value)
            return None if fits else self._expected("a finite number", value)
        fits = isinstance(value, tuple) and len(value) == self.width and all(map(math.isfinite, value))
        return None if fits else self._expected(f"a vector of {self.width} finite numbers", value)

    def _expected(self, what: str, value: AttributeValue) -> str:
        return f"attributes.{self.name}: expected {what}, received {value!r:.100}"

    def _memory(self, field: str) -> Latest:
        vector = self.width if self.kind is AttributeKind.VECTOR else 0
        return Latest(self.entity, field, _CARRIERS[self.entity], _DTYPES[self.kind], self._reader(), width=vector)

    def _reader(self) -> Callable[[Event, Keys], Any]:
        name, is_category = self.name, self.kind is AttributeKind.CATEGORY

        def given(event: Event, keys: Keys) -> Any:  # noqa: ARG001
            value = event.attributes.get(name)
            return key_of(name, value) if is_category and isinstance(value, str) else value

        return given


_ENCODINGS = {
    AttributeKind.CATEGORY: Encoding.ID,
    AttributeKind.NUMBER: Encoding.LINEAR,
    AttributeKind.VECTOR: Encoding.LINEAR,
}
_DTYPES = {AttributeKind.CATEGORY: "<i8", AttributeKind.NUMBER: "<f8", AttributeKind.VECTOR: "<f4"}
_CARRIERS: dict[Entity, tuple[EventKind, ...]] = {
    Entity.USER: (EventKind.USER_UPDATED,),
    Entity.STREAMER: (EventKind.STREAMER_UPDATED,),
    Entity.ROOM: (EventKind.ROOM_STARTED, EventKind.ROOM_UPDATED),
}


def problem(event: Event, attributes: Sequence[Attribute]) -> str | None:
    """Says what is wrong with an event's attributes, or None: unknown names and wrong kinds are refused."""
    declared = {
        attribute.name: attribute for attribute in attributes if event.kind in _CARRIERS.get(attribute.entity, ())
    }
    for name, value in event.attributes.items():
        attribute = declared.get(name)
        if attribute is None:
            known = ", ".join(sorted(declared)) or "none"
            return f"attributes.{name}: expected one of the declared attributes ({known})"
        found = attribute.problem(value)
        if found:
            return found
    return None
