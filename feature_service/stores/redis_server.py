"""A Redis server: connections that fail soon, and a pause after a failure, so that nobody waits for a dead one."""

import importlib
import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from feature_service.stores.protocol import StoreError

READ_TIMEOUT_S = 0.2
"""A read happens in the middle of a request; one from a server in the same network takes a quarter of a millisecond."""

WRITE_TIMEOUT_S = 10.0
"""A checkpoint runs beside the requests."""

PAUSE_S = 2.0
"""For so long after a failed read no other is tried, so that a dead server holds up a tenth of the time at most."""

PASSWORD_VARIABLE = "ONAIR_REDIS_PASSWORD"  # noqa: S105


def load_redis() -> Any:
    """The client library; only who keeps the store in Redis needs it.

    Raises:
        ImportError: It is not installed; says how to.
    """
    try:
        return importlib.import_module("redis")
    except ImportError:
        raise ImportError("expected the package redis (pip install 'onair[redis]'), found none") from None


class RedisServer:
    """Connects when it is first asked, and again whenever the server is back."""

    def __init__(self, address: str, work_timeout_s: float = WRITE_TIMEOUT_S) -> None:
        """Prepares the connections.

        Args:
            address: `redis://host:port/db`, `rediss://` or `unix://`; without a password, the one in the environment
                variable `ONAIR_REDIS_PASSWORD` is taken.
            work_timeout_s: For how long `working` waits for each answer.

        Raises:
            ImportError: The client library is not installed.
            ValueError: The address is none.
        """
        self._redis = load_redis()
        self._shown = shown(address)
        self._reader = self._client(address, READ_TIMEOUT_S)
        self._worker = self._client(address, work_timeout_s)
        self._paused_until_s = 0.0
        self._failure = ""

    def __str__(self) -> str:
        return self._shown

    @contextmanager
    def reading(self) -> Generator[Any]:
        """A client for a short read; its errors become the store's.

        Raises:
            StoreError: The server does not answer, or has not a moment ago.
        """
        if time.monotonic() < self._paused_until_s:
            raise StoreError(self._failure)
        try:
            with self._told():
                yield self._reader
        except StoreError as error:
            self._failure, self._paused_until_s = str(error), time.monotonic() + PAUSE_S
            raise

    @contextmanager
    def working(self) -> Generator[Any]:
        """A client for longer work; its errors become the store's.

        Raises:
            StoreError: The server does not answer, or refuses.
        """
        with self._told():
            yield self._worker
        self._paused_until_s = 0.0

    def close(self) -> None:
        """Closes the connections."""
        self._reader.close()
        self._worker.close()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except self._redis.RedisError as error:
            raise StoreError(f"{self._shown}: expected a readable and writable store: {error}") from None

    def _client(self, address: str, timeout_s: float) -> Any:
        # RESP 3 is no faster for plain values, and its greeting hides what is wrong with a password.
        options: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "protocol": 2}
        if password := os.environ.get(PASSWORD_VARIABLE):
            options["password"] = password
        # Who waits for a second try is a request; the next one tries again anyway.
        none = importlib.import_module("redis.retry").Retry(importlib.import_module("redis.backoff").NoBackoff(), 0)
        try:
            client = self._redis.Redis.from_url(address, retry=none, **options)
            client.connection_pool.make_connection()  # Connects to nothing, but refuses options that do not exist.
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected redis://host:port/db, received {self._shown}: {error}") from None
        return client


def shown(address: str) -> str:
    """An address without user and password, for messages."""
    return re.sub(r"//[^/@]*@", "//", address.partition("?")[0])
