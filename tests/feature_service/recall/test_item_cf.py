"""The channel `item_cf`."""

import numpy as np
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from feature_service.recall.item_cf import ItemCf
from feature_service.stages import Recalled
from serving import contract
from serving.errors import ServerFailedError
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.recall.served_channels import keys, neighbours, served

FOUND = {"ben": (0.9, "anna"), "off air": (0.8, "anna"), "cleo": (0.4, "dora"), "": (0.0, "")}
"""What the model answers for everybody: two streamers with a room, one without, and padding."""


def _platform() -> LivePlatform:
    platform = LivePlatform()
    for room in ("cleo/1", "other/1", "ben/1", "off air/1"):
        platform.start(room)
    platform.report(EventKind.ROOM_ENDED, room_id="off air/1")
    return platform


async def _found(platform: LivePlatform, limit: int = 10) -> Recalled:
    async with served(platform, {"item_cf": neighbours(build_catalog(CONTENT_WIDTH), FOUND)}) as (asking, _):
        return await ItemCf(asking).recall(request(), platform.world, limit)


async def test_finds_the_rooms_on_air_of_the_neighbours_best_first() -> None:
    platform = _platform()
    found = await _found(platform)
    assert platform.rooms(found.rows) == ["ben/1", "cleo/1"]
    assert found.scores.tolist() == pytest.approx([0.9, 0.4])


async def test_remembers_whom_each_room_is_because_of() -> None:
    found = await _found(_platform())
    assert found.because is not None
    assert found.because.tolist() == keys("anna", "dora")


async def test_limit_counts_rooms_on_air() -> None:
    platform = _platform()
    platform.report(EventKind.ROOM_ENDED, room_id="ben/1")
    assert platform.rooms((await _found(platform, 1)).rows) == ["cleo/1"]


async def test_finds_nothing_while_the_model_does_not_serve() -> None:
    platform = _platform()
    async with served(platform, {}) as (asking, _):
        assert len((await ItemCf(asking).recall(request(), platform.world, 10)).rows) == 0


async def test_outputs_of_unequal_length_are_an_error_that_names_them() -> None:
    platform, model = _platform(), neighbours(build_catalog(CONTENT_WIDTH), FOUND)
    whole = model.compute[contract.SERVING_DEFAULT]
    model.compute[contract.SERVING_DEFAULT] = lambda version, inputs: {
        **dict(whole(version, inputs)),  # pyright: ignore[reportArgumentType, reportCallIssue]
        "score": np.zeros((1, 1), np.float32),
    }
    async with served(platform, {"item_cf": model}) as (asking, _):
        with pytest.raises(ServerFailedError, match=r"streamer \[1, 4\], score \[1, 1\], because \[1, 4\]"):
            await ItemCf(asking).recall(request(), platform.world, 10)
