"""A real redis-server of a test, on a free loopback port, which the test may kill and start again."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.stack.running_stack import eventually

START_TIMEOUT_S = 30.0

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server is on the PATH")


class RedisProcess:
    """`redis-server` without a disk, unless `arguments` say otherwise; to be ended by `kill`, or as a context."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Starts it and waits until it answers.

        Args:
            folder: Its working folder and log.
            arguments: Further arguments of redis-server.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._arguments = folder, arguments
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.start()

    @property
    def address(self) -> str:
        """Of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it on its port, with what its folder holds."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", *self._arguments]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                raise AssertionError(f"redis-server did not start: {(self._folder / 'redis.log').read_text()[-1000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends it at once, as `kill -9` does; what is not on its disk is lost."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Lets it answer nothing more, while its port stays open."""
        self._process.send_signal(signal.SIGSTOP)

    def command(self, *words: str) -> bytes:
        """What it answers to a command."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b"*%d\r\n" % len(words))
            connection.sendall(b"".join(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words))
            return connection.recv(1 << 16)

    def __enter__(self) -> "RedisProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _answers(self) -> bool:
        try:
            return not self.command("PING").startswith(b"-LOADING")
        except OSError:
            return False


async def made(server: RedisProcess, key: str = "onair:store") -> None:
    """Waits until there is a key; a writer's first checkpoint makes the store, which replicas need."""

    async def is_there() -> bool:
        return server.command("EXISTS", key) == b":1\r\n"

    await eventually(is_there)
