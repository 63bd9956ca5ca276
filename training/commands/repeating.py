"""Verbs that look at something once, or again and again until they are ended."""

import signal
import sys
import time
from collections.abc import Callable

from feature_service.log.protocol import LogError
from serving.versions import PublishError
from training.data.errors import DataError


def repeat(look: Callable[[], None], every_s: float | None, name: str) -> int:
    """Looks; with `every_s` until SIGINT or SIGTERM, saying on standard error when it could not.

    Raises:
        DataError, LogError, PublishError: Of a single look.
    """
    if not every_s:
        look()
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        try:
            look()
        except (DataError, LogError, PublishError) as error:
            sys.stderr.write(f"{name}: {error}\n")
        time.sleep(every_s)
