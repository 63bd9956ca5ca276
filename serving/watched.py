"""Files that are read again when they change: certificates, keys and tokens are renewed while a process runs."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

Value = TypeVar("Value")

log = logging.getLogger(__name__)


class Watched(Generic[Value]):
    """What a function makes of files, as they are now."""

    def __init__(self, paths: Sequence[Path], read: Callable[[], Value]) -> None:
        """Reads the files.

        Args:
            paths: The files; a mounted secret's links may be among them.
            read: Makes the value of them; its OSError or ValueError says why it cannot.

        Raises:
            OSError: A file cannot be read.
            ValueError: They cannot be used.
        """
        self._paths = tuple(paths)
        self._read = read
        self._seen = self._state()
        self._value = read()

    def now(self) -> Value:
        """The value; while the files cannot be used, it is what they held before, and the log says so once."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._value = self._read()
            except (OSError, ValueError) as error:
                log.error("what was read before stays in use: %s", error)
        return self._value

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_state_of, self._paths))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
