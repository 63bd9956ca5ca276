"""The audit file: a JSON line for each call that shows what is known of a user, or changes how the service answers.

A user is named by the key of the features, a hash of the id: whoever asks after a user can find the lines, and what is
left of them after an erasure names nobody.
"""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from feature_service.features.schema import key_of

AUDIT_FILE = "audit.jsonl"


class AuditError(Exception):
    """A line that cannot be written."""


class Audit:
    """Appends lines; the file may be moved away at any time, and is made anew."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        """Opens nothing yet.

        Args:
            path: The file; only its owner may read it.
            now_ms: The clock.
        """
        self._path = path
        self._now_ms = now_ms

    def record(self, caller: str, method: str, subject: Mapping[str, str]) -> None:
        """Writes who called what, whom or what it is about, and when.

        Raises:
            AuditError: The file cannot be written.
        """
        line = {
            "time": datetime.fromtimestamp(self._now_ms() / 1000, UTC).isoformat(timespec="milliseconds"),
            "caller": caller,
            "method": method,
            **subject,
        }
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, f"{json.dumps(line)}\n".encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise AuditError(f"the audit file cannot be written: {error.strerror}") from None


def user_key(user_id: str) -> str:
    """The key of a user in 16 hexadecimal digits; empty for nobody."""
    return f"{key_of('user', user_id) % 2**64:016x}" if user_id else ""
