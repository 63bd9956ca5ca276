"""The channel `two_tower`."""

import numpy as np
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.recall.two_tower import TwoTower
from serving.errors import ServerFailedError
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.recall.served_channels import served, vector_model, vectors

NORTH = (0.0, 1.0)


@pytest.fixture
def platform() -> LivePlatform:
    platform = LivePlatform()
    platform.start("south/1")
    platform.start("north/1")
    platform.indexes = {"two_tower": vectors(platform, south=(0, -1), north=(0.5, 0.8))}
    return platform


async def test_finds_the_rooms_nearest_to_the_user(platform: LivePlatform) -> None:
    async with served(platform, {"two_tower": vector_model(build_catalog(CONTENT_WIDTH), NORTH)}) as (asking, _):
        found = await TwoTower(asking).recall(request(), platform.world, 1)
    assert platform.rooms(found.rows) == ["north/1"]
    assert found.scores.tolist() == pytest.approx([0.8])


async def test_asks_nobody_while_no_room_has_a_vector(platform: LivePlatform) -> None:
    platform.indexes = {}
    async with served(platform, {"two_tower": vector_model(build_catalog(CONTENT_WIDTH), NORTH)}) as (asking, server):
        found = await TwoTower(asking).recall(request(), platform.world, 1)
    assert len(found.rows) == 0
    assert server.asked == []


async def test_answer_without_a_row_for_the_user_is_an_error_that_names_the_model(platform: LivePlatform) -> None:
    model = vector_model(build_catalog(CONTENT_WIDTH), NORTH)
    model.compute["user"] = lambda version, inputs: np.zeros((0, 2), np.float32)
    async with served(platform, {"two_tower": model}) as (asking, _):
        with pytest.raises(ServerFailedError, match=r"two_tower: expected .*\[1, n\], received vector \[0, 2\]"):
            await TwoTower(asking).recall(request(), platform.world, 1)
