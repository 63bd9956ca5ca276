"""Settings that change while the service runs: scenes and arms of a changed file hold from the next request on."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from feature_service.assembly import check
from feature_service.service import FeatureService
from feature_service.settings import Settings, SettingsError, load
from feature_service.stages import Served
from serving.watched import Watched

LOOK_S = 1.0

_TAKEN = ("scenes", "arms")
"""What is taken over; all else holds from the next start on."""

_EXPECTED = "until the next start expected of the models"

log = logging.getLogger(__name__)


@asynccontextmanager
async def rereading(path: Path | None, service: FeatureService) -> AsyncGenerator[None]:
    """Has a service follow its settings file, if it has one."""
    if path is None:
        yield
        return
    task = asyncio.create_task(SettingsFile(path, service).keep_reading())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class SettingsFile:
    """A settings file that is read again when it changes."""

    def __init__(self, path: Path, service: FeatureService) -> None:
        """Takes what the file says now for taken over.

        Args:
            path: The file.
            service: Runs by it.
        """
        self._service = service
        self._file = Watched([path], partial(self._read, path))
        self._taken = self._file.now()

    async def keep_reading(self) -> None:
        """Looks once a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Takes over what a changed file says; one that cannot be used leaves all as it is, and says why."""
        settings = self._file.now()
        if settings is self._taken:
            return
        self._taken = settings
        held = self._service.held
        waiting = [
            each.name
            for each in fields(Settings)
            if each.name not in _TAKEN and getattr(settings, each.name) != getattr(held.value, each.name)
        ]
        held.value = replace(held.value, **{name: getattr(settings, name) for name in _TAKEN})
        log.info("settings read again: scenes and arms hold from now on")
        if waiting:
            log.warning("to take effect after the next start: %s", ", ".join(waiting))

    def _read(self, path: Path) -> Settings:
        settings = load(path)
        check(settings)
        self._check_models(settings)
        return settings

    def _check_models(self, settings: Settings) -> None:
        """The models to follow are known from the start on.

        Raises:
            SettingsError: A scene needs another one.
        """
        pipeline, followed = self._service.pipeline, self._service.rollout.names
        known = ", ".join(sorted(followed)) or "none"
        for scene in settings.all_scenes:
            if scene.ranker and scene.ranker not in followed:
                raise SettingsError(f"scenes.{scene.name}.ranker: {_EXPECTED} {known}, received {scene.ranker!r}")
            for name in scene.channels:
                channel = pipeline.channels.get(name) or pipeline.scorers.get(name)
                if isinstance(channel, Served) and name not in followed:
                    raise SettingsError(f"scenes.{scene.name}.channels: {_EXPECTED} {known}, received {name!r}")
