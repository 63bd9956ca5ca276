"""The feature service as a process of its own, which a test may kill."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

START_TIMEOUT_S = 90.0


class ServiceProcess:
    """`python -m feature_service serve` on a free port; to be stopped by `stop` or `kill`, or as a context."""

    def __init__(self, folder: Path, *arguments: str, targets: Sequence[str] = (), settings: str = "") -> None:
        """Starts it and waits until it serves.

        Args:
            folder: Keeps the settings, the port and the output; the data is in `folder/data`.
            arguments: Further arguments of `serve`.
            targets: Model servers.
            settings: The settings, TOML.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self._port_file, self._log = folder / "port", folder / "service.log"
        (folder / "settings.toml").write_text(settings)
        self._port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "feature_service", "serve", "--address", "127.0.0.1:0"]
        command += ["--data", str(self.data), "--settings", str(folder / "settings.toml")]
        command += ["--port-file", str(self._port_file), *arguments]
        for target in targets:
            command += ["--model-server", target]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.target = f"127.0.0.1:{self._wait_for_port()}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """Ends it at once, as `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ends it in peace; returns its exit status."""
        self._process.terminate()
        return self._process.wait(START_TIMEOUT_S)

    def ended(self) -> tuple[int, str]:
        """Waits until it ends by itself; returns its exit status and the last line that it wrote."""
        return self._process.wait(START_TIMEOUT_S), self._log.read_text().splitlines()[-1]

    def __enter__(self) -> "ServiceProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _wait_for_port(self) -> int:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            if self._port_file.exists() and (text := self._port_file.read_text().strip()):
                return int(text)
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the service did not start: {self.log[-2000:]}")
