"""Marks: what tells of a user, the platform's id and the key, in texts, numbers and bytes."""

import json
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from feature_service.features.schema import key_of

ID, KEY = "id", "key"
"""What of a user was found."""

_KEY_BYTES = 8
_SEVEN_BITS = 0x7F
_WORD = r"[0-9A-Za-z_]"
"""A text that goes on with one of these, on either side, is another id."""


class Marks:
    """Looks for one user.

    Attributes:
        user_id: The platform's id.
        key: The user's key.
    """

    def __init__(self, user_id: str) -> None:
        """Takes the platform's id; must not be empty."""
        self.user_id = user_id
        self.key = key_of("user", user_id)
        ids = {user_id, json.dumps(user_id)[1:-1]}  # In JSON it may be written in ASCII alone.
        self._text = {ID: _whole(ids), KEY: _whole({str(self.key), str(self.key % (1 << 64))})}
        self._bytes = {what: re.compile(found.pattern.encode()) for what, found in self._text.items()}
        little = self.key.to_bytes(_KEY_BYTES, "little", signed=True)
        self._numbers = (little, little[::-1], _varint(self.key))
        # Where other fields follow at once, a length before it tells that the text ends there.
        self._counted = _varint(len(user_id.encode())) + user_id.encode()

    def in_text(self, text: str) -> set[str]:
        """What stands in a text, as words of their own."""
        return {what for what, pattern in self._text.items() if pattern.search(text)}

    def in_bytes(self, data: bytes) -> set[str]:
        """What stands in bytes of any kind: the id as a word or behind its length, the key as a number or a word."""
        found = {what for what, pattern in self._bytes.items() if pattern.search(data)}
        if self._counted in data:
            found.add(ID)
        if any(number in data for number in self._numbers):
            found.add(KEY)
        return found

    def in_array(self, values: NDArray[np.generic]) -> set[str]:
        """What stands in an array of any shape and dtype, structured ones too."""
        if values.dtype.kind in "US":
            return set[str]().union(*(self.in_text(str(value)) for value in np.unique(values)))
        return self.in_bytes(values.tobytes())


def _whole(texts: set[str]) -> re.Pattern[str]:
    """Any of some texts, as a whole."""
    either = "|".join(sorted(re.escape(text) for text in texts))
    return re.compile(f"(?<!{_WORD})(?:{either})(?!{_WORD})")


def _varint(number: int) -> bytes:
    """A number as a protobuf message has it."""
    return bytes(_groups(number % (1 << 64)))


def _groups(number: int) -> Iterator[int]:
    while number > _SEVEN_BITS:
        yield number & _SEVEN_BITS | _SEVEN_BITS + 1
        number >>= 7
    yield number
