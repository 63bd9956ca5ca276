"""The processes that are measured: the feature service, and the model server with the reference models."""

import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

from serving.launch import ModelServer, start_model_server

START_TIMEOUT_S = 120.0
SETTINGS = "[overload]\nleast_in_flight = 1000\n[service]\ndeadline_ms = 20000\n"
"""Patient, so that nothing degrades while 32 clients wait for two cores."""


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A running feature service.

    Attributes:
        address: `host:port`.
        pid: Its process id.
        start_s: Seconds from its start until it served.
    """

    address: str
    pid: int
    start_s: float

    def resident_mb(self) -> float:
        """Resident memory, megabytes (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self) -> float:
        """CPU time that it has taken so far, all threads, seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / sysconf("SC_CLK_TCK")


@contextmanager
def running_service(
    folder: Path,
    data: Path,
    targets: Sequence[str] = (),
    settings: str = SETTINGS,
    arguments: Sequence[str] = (),
) -> Generator[ServiceProcess]:
    """Runs `python -m feature_service serve` on a free port.

    Args:
        folder: Takes its settings, port and log.
        data: Its data folder.
        targets: Model servers.
        settings: The text of its settings file.
        arguments: Further arguments of `serve`.

    Raises:
        RuntimeError: It did not start; with the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings_file, port_file, log_path = folder / "settings.toml", folder / "port", folder / "service.log"
    settings_file.write_text(settings)
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "feature_service", "serve", "--address", "127.0.0.1:0", "--data", str(data)]
    command += ["--settings", str(settings_file), "--port-file", str(port_file), *arguments]
    for target in targets:
        command += ["--model-server", target]
    started_s = time.monotonic()
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        port = _wait_for_port(process, port_file, log_path)
        yield ServiceProcess(f"127.0.0.1:{port}", process.pid, time.monotonic() - started_s)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def running_reference_models(folder: Path, names: Sequence[str] = ("mmoe", "two_tower")) -> Generator[ModelServer]:
    """Exports reference models and serves them, each by a process of its own."""
    models = folder / "models"
    with (folder / "export.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.benchmarks.reference", str(models), *names]
        subprocess.run(command, check=True, stdout=log, stderr=log)
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{(models / name).resolve()}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    config = folder / "models.config"
    config.write_text(f"model_config_list {{\n{entries}}}\n")
    with start_model_server({"model_config_file": config}, log_path=folder / "model_server.log") as server:
        yield server


def _wait_for_port(process: "subprocess.Popen[bytes]", port_file: Path, log_path: Path) -> int:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if port_file.exists() and (text := port_file.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise RuntimeError(f"the feature service did not start: {log_path.read_text(errors='replace')[-1000:]}")
