"""Log lines: as text for people, or as JSON for a collector, each with the request and the trace that it belongs to.

A line never holds a user's id, a history or a title: what is logged of a request is its id alone.
"""

import json
import logging
from datetime import UTC, datetime

from feature_service.observe.requests import REQUEST_ID, TRACE_ID

FORMATS = ("text", "json")

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and request_id, trace_id and error where known."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get(),
            "trace_id": TRACE_ID.get(),
            "error": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in line.items() if value}, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A line for people, with the request's id behind it; quoted, for callers choose it."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line of a record, before the traceback of an error."""
        line, request_id = super().formatMessage(record), REQUEST_ID.get()
        return f"{line} request_id={request_id!r}" if request_id else line


def log_to_stderr(form: str) -> None:
    """Has every line of the process from INFO on written to standard error, in one of `FORMATS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
