"""Starts a model server as a process: the stock one where it is installed, else the embedded one."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from serving.errors import LaunchError

STOCK_SERVER = "tensorflow_model_server"
SERVER_VARIABLE = "TF_MODEL_SERVER"
START_TIMEOUT_S = 120.0  # TensorFlow's import alone takes seconds, and models are loaded before the port opens
STOP_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.05
LOG_TAIL_LINES = 8

Flag = str | int | float | bool | Path


def server_program() -> list[str]:
    """The command of the model server: what `TF_MODEL_SERVER` names, else the stock one on PATH, else the embedded one.

    Raises:
        LaunchError: `TF_MODEL_SERVER` names no executable file.
    """
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        if not os.access(named, os.X_OK) or not Path(named).is_file():
            raise LaunchError(f"{SERVER_VARIABLE} names {named}, which is no executable file")
        return [named]
    stock = shutil.which(STOCK_SERVER)
    return [stock] if stock else [sys.executable, "-m", "serving.local"]


def server_command(flags: Mapping[str, Flag]) -> list[str]:
    """The command line that starts the model server with these flags (`tensorflow_model_server`'s, without dashes).

    Raises:
        LaunchError: See `server_program`.
    """
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in flags.items()}
    return server_program() + [f"--{name}={value}" for name, value in values.items()]


def free_port() -> int:
    """A TCP port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class ModelServer:
    """A model server process that serves; stopped by `stop` or at the end of a `with` block."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
        """Use `start_model_server`.

        Args:
            process: The running server.
            port: Its gRPC port.
            log_path: The file that takes its output.
        """
        self._process = process
        self.port = port
        self.log_path = log_path

    @property
    def target(self) -> str:
        """The gRPC address."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def stop(self) -> int:
        """Ends the process (SIGTERM, then SIGKILL); returns its exit status, negative for a signal."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def wait_until_it_serves(self, timeout_s: float) -> None:
        """Waits until the gRPC port answers.

        Raises:
            LaunchError: The process ended (with its last lines), or the time passed.
        """
        deadline = time.monotonic() + timeout_s
        while self._process.poll() is None:
            # Both servers open the port when the models are loaded, so a connection means that it serves.
            if _answers(self.port):
                return
            if time.monotonic() > deadline:
                raise LaunchError(f"no model server after {timeout_s:g} s: {self._last_lines()}")
            time.sleep(POLL_INTERVAL_S)
        raise LaunchError(f"the model server ended with status {self._process.returncode}: {self._last_lines()}")

    def _last_lines(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()
        return " / ".join(line.strip() for line in lines[-LOG_TAIL_LINES:]) or "it said nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_model_server(
    flags: Mapping[str, Flag], *, log_path: Path | None = None, timeout_s: float = START_TIMEOUT_S
) -> ModelServer:
    """Starts a model server and waits until it serves.

    Args:
        flags: `tensorflow_model_server`'s, without dashes; `port` absent or 0: a free one.
        log_path: Where its output goes; None: a temporary file, which is kept.
        timeout_s: How long to wait for it.

    Raises:
        LaunchError: It ended, did not serve in time, cannot be run, or the port is taken.
    """
    port = int(str(flags.get("port", 0))) or free_port()
    if _answers(port):
        raise LaunchError(f"cannot start a model server on port {port}: another process serves there")
    command = server_command({**flags, "port": port})
    if log_path is None:
        handle, name = tempfile.mkstemp(prefix="model-server-", suffix=".log")
        os.close(handle)
        log_path = Path(name)
    with log_path.open("wb") as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        except OSError as error:
            raise LaunchError(f"cannot run {command[0]}: {error.strerror}") from error
    server = ModelServer(process, port, log_path)
    try:
        server.wait_until_it_serves(timeout_s)
    except BaseException:
        server.stop()
        raise
    return server


def exec_model_server(flags: Mapping[str, Flag]) -> None:
    """Turns this process into a model server, so that signals reach it directly; does not return.

    Raises:
        LaunchError: It cannot be run.
    """
    command: Sequence[str] = server_command(flags)
    sys.stdout.flush()
    try:
        os.execv(command[0], command)  # noqa: S606 (no shell is wanted)
    except OSError as error:
        raise LaunchError(f"cannot run {command[0]}: {error.strerror}") from error
