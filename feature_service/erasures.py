"""Erasures: who has been erased, so that nothing of them comes in again and the logs lose what they hold."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from feature_service.features.events import MAX_LATENESS_MS, Event
from feature_service.features.schema import key_of
from feature_service.log.protocol import LogError
from feature_service.log.record_log import sync_folder

ERASURES_FILE = "erasures.jsonl"
"""Of a service's data folder."""

SETTLED_MS = 2 * MAX_LATENESS_MS
"""So long after an erasure the logs are rewritten: nobody looks for duplicates among such old events any more."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One user who was erased.

    Attributes:
        key: The user's key.
        time_ms: When it was received, Unix milliseconds; what happened until then must not come in any more.
        position: The log position behind the erasing event.
        user_id: The platform's id until the logs are rewritten, empty from then on.
    """

    key: int
    time_ms: int
    position: int
    user_id: str


class Erasures:
    """All erasures, by key, and in a file. The key stays for good: it keeps late events out."""

    def __init__(self, path: Path, known: Iterable[Erasure]) -> None:
        """Takes over what `open` has read."""
        self._path = path
        self._by_key = {each.key: each for each in known}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Reads the file; without one, nobody was erased.

        Raises:
            LogError: It is not what `Erasures` writes.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return cls(path, (Erasure(**json.loads(line)) for line in lines))
        except (OSError, ValueError, TypeError) as error:
            raise LogError(f"{path}: expected a line of JSON for each user who was erased: {error}") from None

    def add(self, event: Event, position: int) -> None:
        """Notes an erasing event, durably; one that is known already, as after a restart, changes nothing.

        Args:
            event: The event.
            position: The log position behind it.

        Raises:
            LogError: The file cannot be written.
        """
        key = key_of("user", event.user_id)
        if key and (key not in self._by_key or self._by_key[key].position < position):
            self._by_key[key] = Erasure(key, event.received_ms or event.time_ms, position, event.user_id)
            self._write()

    @property
    def known(self) -> list[Erasure]:
        """All of them."""
        return list(self._by_key.values())

    def until_ms(self, key: int) -> int:
        """Until when what a user did is erased, Unix milliseconds; 0 = the user was never erased."""
        held = self._by_key.get(key)
        return held.time_ms if held else 0

    def due(self, now_ms: int) -> list[Erasure]:
        """Those whose traces are to leave the logs by now."""
        return [each for each in self._by_key.values() if each.user_id and each.time_ms + SETTLED_MS <= now_ms]

    def done(self, erasures: Iterable[Erasure]) -> None:
        """Forgets the ids of erasures whose traces have left the logs.

        Raises:
            LogError: The file cannot be written.
        """
        for each in erasures:
            if self._by_key[each.key] == each:  # Else the user has been erased once more.
                self._by_key[each.key] = replace(each, user_id="")
        self._write()

    def _write(self) -> None:
        unfinished = self._path.with_suffix(".new")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(asdict(each))}\n" for each in self._by_key.values())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise LogError(f"{self._path}: could not be written: {error.strerror}") from None
