"""The demo: the main job on one machine, from an event log to slates of a running stack."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_service.features.events import EventKind
from serving.launch import start_model_server
from training.data.sources import read_columns

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0


class DemoError(Exception):
    """A part of the demo did not start."""


@dataclass(frozen=True, slots=True)
class DemoFolders:
    """Where the demo keeps what."""

    root: Path

    @property
    def log(self) -> Path:
        """The simulated event log."""
        return self.root / "log"

    @property
    def samples(self) -> Path:
        """The sample set."""
        return self.root / "samples"

    @property
    def training(self) -> Path:
        """Training runs and the report."""
        return self.root / "training"

    @property
    def models(self) -> Path:
        """Base paths of the served models."""
        return self.root / "models"

    @property
    def service(self) -> Path:
        """Log and store of the feature service."""
        return self.root / "service"


def write_models_config(base_paths: Mapping[str, Path], path: Path) -> None:
    """Writes a models.config as TensorFlow Serving reads it, with the latest two versions of each model, by name."""
    entries = "\n".join(
        f'  config {{ name: "{name}" base_path: "{base_path.resolve()}" model_platform: "tensorflow" '
        "model_version_policy { latest { num_versions: 2 } } }"
        for name, base_path in base_paths.items()
    )
    path.write_text(f"model_config_list {{\n{entries}\n}}\n")


def typical_viewers(log: str | Path, count: int) -> list[str]:
    """Viewers with different tastes: the keenest ones of the categories that are watched most, a viewer a category.

    Args:
        log: URI of the event log.
        count: How many viewers.

    Returns:
        User ids; of a log without categories just the keenest viewers.
    """
    table = read_columns(log, ["kind", "user_id", "room_id", "category"])
    kind = table["kind"].to_numpy()
    started = table.filter(pa.array(kind == EventKind.ROOM_STARTED))
    category_of = dict(zip(started["room_id"].to_pylist(), started["category"].to_pylist(), strict=True))
    entered = table.filter(pa.array(kind == EventKind.ENTER))
    users, user = np.unique(np.array(entered["user_id"].to_pylist()), return_inverse=True)
    rooms = entered["room_id"].to_pylist()
    categories, category = np.unique(np.array([category_of.get(room) or "" for room in rooms]), return_inverse=True)
    visits = np.bincount(user * len(categories) + category, minlength=len(users) * len(categories))
    return _keenest(users, visits.reshape(len(users), len(categories)), count)


def _keenest(users: np.ndarray, visits: np.ndarray, count: int) -> list[str]:
    """A viewer a category, by descending popularity of the category, then the keenest of all; ties by id."""
    order = np.argsort(-visits.sum(axis=0), kind="stable")
    chosen = list(dict.fromkeys(int(np.argmax(visits[:, column])) for column in order))
    chosen += [row for row in np.argsort(-visits.sum(axis=1), kind="stable").tolist() if row not in chosen]
    return [str(users[row]) for row in chosen[:count]]


def models_for(heads: Sequence[str]) -> list[str]:
    """The models that can be trained on samples with labels of these heads."""
    return ["two_tower", "item_cf", "mf", "neumf", *(["esmm"] if {"enter", "long_watch"} <= set(heads) else []), "mmoe"]


def write_settings(folders: DemoFolders) -> Path:
    """Writes the service's settings: those of the samples, and where the models are published to."""
    path = folders.root / "settings.toml"
    of_samples = (folders.samples / "settings.toml").read_text(encoding="utf-8")
    path.write_text(f"{of_samples}\n[models]\nfolder = {json.dumps(str(folders.models.resolve()))}\n", encoding="utf-8")
    return path


def serve_console(address: str, port: int) -> None:
    """Serves the console of a service, which says where, until it is interrupted."""
    subprocess.run(
        [sys.executable, "-m", "feature_service", "console", "--address", address, "--port", str(port)], check=False
    )


@contextmanager
def running_stack(folders: DemoFolders, models: Sequence[str]) -> Generator[str, None, None]:
    """A model server on the demo's models, and a feature service as of the log's end on its data.

    Yields:
        The service's address.

    Raises:
        LaunchError: The model server did not start.
        DemoError: The service did not start; says its last words.
    """
    config = folders.root / "models.config"
    write_models_config({name: folders.models / name for name in models}, config)
    flags = {"model_config_file": config, "file_system_poll_wait_seconds": 1}
    with start_model_server(flags, log_path=folders.root / "model_server.log") as server:
        arguments = ["--data", str(folders.service), "--settings", str(write_settings(folders))]
        arguments += ["--model-server", server.target, "--as-of", "log"]
        with _service(arguments, folders.root) as address:
            yield address


@contextmanager
def _service(arguments: Sequence[str], root: Path) -> Generator[str, None, None]:
    port_file, log_path = root / "service.port", root / "service.log"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "feature_service", "serve", "--address", "127.0.0.1:0", *arguments]
    with log_path.open("wb") as log:
        process = subprocess.Popen([*command, "--port-file", str(port_file)], stdin=subprocess.DEVNULL, stderr=log)
    try:
        yield f"127.0.0.1:{_wait_for_port(process, port_file, log_path)}"
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(process: "subprocess.Popen[bytes]", port_file: Path, log_path: Path) -> int:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if port_file.exists() and (text := port_file.read_text().strip()):
            return int(text)
        time.sleep(0.05)
    last = log_path.read_text(errors="replace").strip().splitlines()[-1:]
    raise DemoError(f"the feature service did not start: {last[0] if last else 'it said nothing'}")
