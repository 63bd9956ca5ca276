"""What channels of one request share: the user's tensors, and no other request's."""

from typing import Any

import pytest

from feature_service.features import tensors
from feature_service.features.catalog import build_catalog
from feature_service.features.layout import HISTORY_IDS, USER_IDS
from feature_service.recall.item_cf import ItemCf
from feature_service.recall.mf import Mf
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform, request
from tests.feature_service.recall.served_channels import keys, neighbours, served, vector_model, vectors


async def test_tensors_that_several_models_read_are_built_once_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    fill = tensors._fill  # pyright: ignore[reportPrivateUsage]

    def noted(name: str, *arguments: Any) -> Any:
        built.append(name)
        return fill(name, *arguments)

    monkeypatch.setattr(tensors, "_fill", noted)
    platform, catalog = LivePlatform(), build_catalog(CONTENT_WIDTH)
    platform.start("anna/1")
    platform.indexes = {"mf": vectors(platform, anna=(1, 0))}
    factors = vector_model(catalog, (1, 0))
    factors.layout = catalog.layout(["user.id", "user.watched.streamer", "streamer.id"])
    factors.signatures["user"] = (USER_IDS, HISTORY_IDS)
    models = {"mf": factors, "item_cf": neighbours(catalog, {"anna": (1.0, "")})}
    async with served(platform, models) as (asking, _):
        for asked in (request(), request()):
            await Mf(asking).recall(asked, platform.world, 1)
            await ItemCf(asking).recall(asked, platform.world, 1)
    assert built == [USER_IDS, HISTORY_IDS] * 2


async def test_next_user_is_read_anew() -> None:
    platform, catalog = LivePlatform(), build_catalog(CONTENT_WIDTH)
    platform.start("anna/1")
    platform.enter("anna/1", user_id="fan")
    histories: list[list[int]] = []
    model = neighbours(catalog, {"anna": (1.0, "")})
    answer = model.compute["serving_default"]

    def noted(version: int, inputs: Any) -> Any:
        histories.append(inputs["history_ids"][0, :1, 0].tolist())
        return answer(version, inputs)

    model.compute["serving_default"] = noted
    async with served(platform, {"item_cf": model}) as (asking, _):
        for user in ("fan", "stranger"):
            await ItemCf(asking).recall(request(user), platform.world, 1)
    assert histories == [keys("anna"), [0]]
