"""The channel `two_tower`."""

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_service.live.index import LiveIndex
from feature_service.recall.two_tower import TwoTower
from feature_service.stages import Request, World
from tests.feature_service.live_platform import LivePlatform, request


async def _north(request: Request, world: World) -> NDArray[np.float32]:
    return np.array([0, 1], np.float32)


async def test_finds_the_rooms_nearest_to_the_user() -> None:
    platform = LivePlatform()
    platform.start("south/1")
    platform.start("north/1")
    platform.index = LiveIndex(2)
    platform.index.put(platform.rows("south/1", "north/1"), np.array([[0, -1], [0.5, 0.8]], np.float32))
    found = await TwoTower(_north).recall(request(), platform.world, 1)
    assert platform.rooms(found.rows) == ["north/1"]
    assert found.scores.tolist() == pytest.approx([0.8])


async def test_finds_nothing_while_no_model_serves() -> None:
    async def refuse(request: Request, world: World) -> NDArray[np.float32]:
        raise AssertionError("asked for a vector that nothing can be compared with")

    platform = LivePlatform()
    platform.start("north/1")
    assert (await TwoTower(refuse).recall(request(), platform.world, 1)).rows.tolist() == []
