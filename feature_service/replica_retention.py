"""Retention at a replica: its served log loses the users of whom the writer's store says that they were erased."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

from feature_service.clock import NowMs
from feature_service.erasures import SETTLED_MS, Erasure
from feature_service.log.protocol import LogError
from feature_service.log.rewrite import exchange
from feature_service.retention import EVERY_S
from feature_service.served.retention import ServedRetention
from feature_service.stores.protocol import StoreError

log = logging.getLogger(__name__)


class ReplicaRetention:
    """Keeps the served log of a running replica to what it may hold."""

    def __init__(
        self, served: ServedRetention, erasures: Callable[[], Sequence[Erasure]], done: Path, now_ms: NowMs
    ) -> None:
        """Takes over a replica's served log.

        Args:
            served: The log.
            erasures: Reads who was erased.
            done: A file: the position of the last erasure that the log has followed.
            now_ms: The service's clock.
        """
        self._served = served
        self._erasures = erasures
        self._done = done
        self._now_ms = now_ms

    async def keep(self) -> None:
        """Enforces it every hour, until it is cancelled."""
        while True:
            try:
                await asyncio.to_thread(self._enforce)
            except (LogError, StoreError, OSError) as error:
                log.error("the served log holds more than it should: %s", error)
            await asyncio.sleep(EVERY_S)

    def _enforce(self) -> None:
        now_ms = self._now_ms()
        self._served.remove_old(now_ms)
        if due := self._due(now_ms):
            # Of users whose ids are forgotten, only the slates themselves say whether they are theirs.
            slates = self._served.erase({each.key: each.position for each in due}, [b""])
            exchange(self._done, str(due[-1].position).encode())
            log.info("erased %d users from %d served slates", len(due), slates)

    def _due(self, now_ms: int) -> list[Erasure]:
        """Erasures that are to be followed by now, in the order of their positions; none overtakes an earlier one."""
        done = int(self._done.read_text()) if self._done.exists() else 0
        waiting = sorted((each for each in self._erasures() if each.position > done), key=lambda each: each.position)
        return list(takewhile(lambda each: each.time_ms + SETTLED_MS <= now_ms, waiting))
