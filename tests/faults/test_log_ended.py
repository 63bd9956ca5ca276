"""A log that takes no more events: the service hears of it, and answers go on until it is started again."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from feature_service.boot import booted
from feature_service.clock import wall_clock
from feature_service.features.events import Event, EventKind
from feature_service.log.protocol import LogEndedError
from tests.feature_service.running_service import PATIENCE_S, lean_settings


def started(room: str) -> Event:
    return Event(f"start {room}", EventKind.ROOM_STARTED, wall_clock(), room_id=room, streamer_id=f"streamer {room}")


async def test_a_service_is_told_that_its_log_has_ended_and_knows_the_acknowledged_events_when_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    settings, told = lean_settings("checkpoint_s = 0.05\n"), asyncio.Queue[LogEndedError]()
    async with booted(settings, tmp_path, [], log_ended=told.put_nowait) as service:
        await service.report([started("one")])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fails)
            with pytest.raises(LogEndedError, match="could not be synced: Input/output error; open it again"):
                await service.report([started("two")])
        error = await asyncio.wait_for(told.get(), PATIENCE_S)
        assert "could not be synced" in str(error)
        with pytest.raises(LogEndedError):
            await service.report([started("three")])
    async with booted(settings, tmp_path, []) as service:
        results = await service.report([started("one"), started("three")])
        assert [each.acceptance for each in results] == ["duplicate", "accepted"]
