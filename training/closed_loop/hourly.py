"""The arm `hourly`: its ranker goes on every simulated hour, with the samples of what the loop's own slates led to."""

import asyncio
import shutil
from collections import deque
from dataclasses import replace
from pathlib import Path

from feature_service import settings
from feature_service.assembly import SERVED_FOLDER
from feature_service.boot import LOG_FOLDER
from training.closed_loop.stack import Stack, StackError
from training.compare.incremental import STEP_RATE
from training.data.dataset import catalog_of_set
from training.data.hours import HOUR_MS
from training.demo import DemoFolders
from training.incremental import go_on
from training.publish import TIMEOUT_S
from training.rollout import Outcome, await_version
from training.run import Places
from training.run_config import RunConfig
from training.streaming.schedule import FIRST_MS
from training.streaming.worker import Worker

ARM = "hourly"


def with_hourly_arm(settings_file: Path, path: Path) -> settings.Settings:
    """Writes settings under which half of the viewers get the versions of the hour.

    Args:
        settings_file: The settings without arms.
        path: Gets the file.

    Raises:
        SettingsError: The settings have arms already.
    """
    found = settings.load(settings_file)
    if found.arms:
        received = ", ".join(arm.name for arm in found.arms)
        raise settings.SettingsError(f"{settings_file}: arms: expected none beside {ARM}, received {received}")
    ranker = served_name(found.scene("").ranker)
    arm = f'\n[arms.{ARM}]\nshare = 0.5\n[arms.{ARM}.scene]\nranker = "{ranker}"\n'
    path.write_text(settings_file.read_text(encoding="utf-8") + arm, encoding="utf-8")
    return settings.load(path)


def served_name(ranker: str) -> str:
    """The name under which the arm's versions are served."""
    return f"{ranker}_{ARM}"


class HourlyRanker:
    """The arm's ranker: a copy of the one that was trained before the loop, at first.

    A step takes no simulated time: viewers of ten minutes past the hour are served by what was learnt of it.

    Attributes:
        base_path: Of its versions.
        versions: Those that the arm was served by, in turn.
        refused: Steps that the gate refused.
    """

    def __init__(self, config: RunConfig, folders: DemoFolders, now_ms: int) -> None:
        """Starts from what stands in the folders; an earlier loop's versions are let go.

        Args:
            config: Of the ranker.
            folders: With its run, its version, and the service's data as of now.
            now_ms: When the loop begins, Unix milliseconds.

        Raises:
            DataError: The service's log cannot be read.
        """
        root = folders.root / ARM
        shutil.rmtree(root, ignore_errors=True)
        self.base_path = root / "models" / config.model
        shutil.copytree(folders.models / config.model, self.base_path)
        self.versions = [max(int(path.name) for path in self.base_path.iterdir() if path.name.isdecimal())]
        self.refused = 0
        self._config = replace(config, training=replace(config.training, learning_rate=STEP_RATE))
        self._since = folders.training / config.model
        self._samples, self._places = root / "samples", Places(root / "steps", root / "models")
        self._hour = now_ms // HOUR_MS
        self._worker = Worker(
            folders.service / LOG_FOLDER,
            folders.service / SERVED_FOLDER,
            self._samples,
            catalog_of_set(folders.samples),
            history=folders.log,
        )

    async def keep_up(self, now_ms: int, server: str, stack: Stack) -> None:
        """Takes a step if the samples of an hour are due, and lets the service take it up.

        Args:
            now_ms: Unix milliseconds.
            server: The model server, `host:port`.
            stack: The service.

        Raises:
            DataError: The logs or samples cannot be read, or written.
            PublishError: The version could not be published.
            StackError: The model server does not serve it.
        """
        hour = (now_ms - FIRST_MS) // HOUR_MS
        if hour > self._hour:
            self._hour = hour
            await asyncio.to_thread(self._step, now_ms, server)
            await stack.follow()

    def _step(self, now_ms: int, server: str) -> None:
        deque(self._worker.catch_up(), maxlen=0)
        deque(self._worker.write(now_ms), maxlen=0)
        step = go_on(self._config, str(self._samples), self._places, self._since)
        if step is None:
            return
        if step.run.published is None:
            self.refused += 1
            return
        version, name = step.run.published.manifest.version, served_name(self._config.model)
        (state,) = await_version([server], name, version, TIMEOUT_S)
        if state.outcome is not Outcome.AVAILABLE:
            raise StackError(f"{name} version {version}: expected it to be served, received {state.detail}")
        self.versions.append(version)
