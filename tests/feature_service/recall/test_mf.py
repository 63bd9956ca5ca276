"""The channel `mf`."""

from feature_service.features.catalog import build_catalog
from feature_service.recall.mf import Mf
from feature_service.stages import Recalled
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.recall.served_channels import served, vector_model, vectors


async def _found(platform: LivePlatform, user: tuple[float, ...]) -> Recalled:
    async with served(platform, {"mf": vector_model(build_catalog(CONTENT_WIDTH), user)}) as (asking, _):
        return await Mf(asking).recall(request(), platform.world, 10)


def _platform() -> LivePlatform:
    platform = LivePlatform()
    for room in ("stranger/1", "disliked/1", "good/1", "better/1"):
        platform.start(room)
    platform.indexes = {"mf": vectors(platform, stranger=(0, 0), disliked=(-1, 0), good=(0.5, 0), better=(0.7, 0))}
    return platform


async def test_finds_the_streamers_that_the_model_predicts_best_first() -> None:
    platform = _platform()
    found = await _found(platform, (1, 0))
    # stranger scores 0, which says nothing, and disliked -1.
    assert platform.rooms(found.rows) == ["better/1", "good/1"]


async def test_user_without_a_history_finds_nothing() -> None:
    assert len((await _found(_platform(), (0, 0))).rows) == 0


async def test_finds_nothing_while_the_model_does_not_serve() -> None:
    platform = _platform()
    async with served(platform, {}) as (asking, _):
        platform.indexes = {}
        assert len((await Mf(asking).recall(request(), platform.world, 10)).rows) == 0
