"""The channel `neumf`."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.recall import neumf
from feature_service.recall.neumf import NeuMf
from feature_service.stages import Recalled
from serving.errors import ServerFailedError
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, recalled, request
from tests.feature_service.recall.served_channels import pair_scorer, served

SCORES = {"anna": 0.2, "ben": 0.9, "cleo": 0.5, "dora": 0.7}


@pytest.fixture
def platform() -> LivePlatform:
    platform = LivePlatform()
    for streamer in SCORES:
        platform.start(f"{streamer}/1")
    return platform


async def _scored(platform: LivePlatform, others: Sequence[Recalled] | None, limit: int = 10) -> Recalled:
    """What it finds beside the others; None = they have not answered yet."""
    answered: asyncio.Future[Sequence[Recalled]] = asyncio.get_running_loop().create_future()
    if others is not None:
        answered.set_result(others)
    asked = request(channels={"two_tower": 1, "hot": 1, "neumf": 5})
    async with served(platform, {"neumf": pair_scorer(build_catalog(CONTENT_WIDTH), SCORES)}) as (asking, _):
        return await asyncio.wait_for(NeuMf(asking).score(asked, platform.world, answered, limit), 30)


async def test_scores_all_rooms_on_air_while_they_are_few_and_waits_for_nobody(platform: LivePlatform) -> None:
    found = await _scored(platform, None, 3)
    assert platform.rooms(found.rows) == ["ben/1", "dora/1", "cleo/1"]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.5])


async def test_of_many_rooms_it_scores_what_stands_high_in_the_other_channels(
    platform: LivePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neumf, "FEW", 3)
    anna, ben, cleo, dora = platform.rows("anna/1", "ben/1", "cleo/1", "dora/1").tolist()
    others = [recalled("two_tower", cleo, anna, ben), recalled("hot", cleo, dora)]
    found = await _scored(platform, others)
    # Twice the quota of 1: cleo and anna of the one channel, cleo and dora of the other; ben stands third.
    assert platform.rooms(found.rows) == ["dora/1", "cleo/1", "anna/1"]


async def test_of_many_rooms_of_which_nobody_found_any_it_finds_none(
    platform: LivePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neumf, "FEW", 3)
    assert len((await _scored(platform, [])).rows) == 0


async def test_room_without_a_finite_score_is_not_found(platform: LivePlatform) -> None:
    scores = SCORES | {"ben": float("nan")}
    async with served(platform, {"neumf": pair_scorer(build_catalog(CONTENT_WIDTH), scores)}) as (asking, _):
        others: asyncio.Future[Sequence[Recalled]] = asyncio.get_running_loop().create_future()
        found = await NeuMf(asking).score(request(), platform.world, others, 10)
    assert platform.rooms(found.rows) == ["dora/1", "cleo/1", "anna/1"]


async def test_finds_nothing_while_the_model_does_not_serve(platform: LivePlatform) -> None:
    async with served(platform, {}) as (asking, _):
        others: asyncio.Future[Sequence[Recalled]] = asyncio.get_running_loop().create_future()
        assert len((await NeuMf(asking).score(request(), platform.world, others, 10)).rows) == 0


async def test_scores_of_another_length_are_an_error_that_names_it(platform: LivePlatform) -> None:
    model = pair_scorer(build_catalog(CONTENT_WIDTH), SCORES)
    model.compute["serving_default"] = lambda version, inputs: {"score": np.zeros(3, np.float32)}
    async with served(platform, {"neumf": model}) as (asking, _):
        others: asyncio.Future[Sequence[Recalled]] = asyncio.get_running_loop().create_future()
        with pytest.raises(ServerFailedError, match=r"neumf: expected score \[4\], received \[3\]"):
            await NeuMf(asking).score(request(), platform.world, others, 10)
