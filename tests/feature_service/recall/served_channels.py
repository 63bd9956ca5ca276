"""Scripted recall models, and a platform that they serve: the channels' calls are real gRPC."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.layout import CANDIDATE_IDS, HISTORY_IDS, USER_IDS, Layout
from feature_service.features.schema import key_of
from feature_service.live.index import LiveIndex
from feature_service.model_servers import ModelServers
from feature_service.models import bind
from feature_service.recall.asking import Asking
from serving import contract
from tests.feature_service.live_platform import CONTENT_WIDTH, LivePlatform
from tests.feature_service.scripted_model_server import Inputs, ScriptedModel, ScriptedServer, serving

PATIENCE_S = 30.0


def keys(*streamers: str) -> list[int]:
    """The streamers' keys; an empty id is padding, 0."""
    return [key_of("streamer", each) if each else 0 for each in streamers]


def vector_model(catalog: Catalog, user: tuple[float, ...]) -> ScriptedModel:
    """A vector model that reads history and streamer alone; all users and rooms have the same vector."""
    layout = catalog.layout(["user.watched.streamer", "streamer.id"])
    return ScriptedModel(
        layout,
        {contract.USER: (HISTORY_IDS,), contract.ROOM: (CANDIDATE_IDS,)},
        {
            contract.USER: lambda _, inputs: np.array([user], np.float32),
            contract.ROOM: lambda _, inputs: np.tile(np.array([user], np.float32), (len(inputs[CANDIDATE_IDS]), 1)),
        },
    )


def neighbours(catalog: Catalog, found: Mapping[str, tuple[float, str]]) -> ScriptedModel:
    """Finds these streamers for everybody, each with its score and because of whom; and as neighbours of anna alone."""

    def answer(_: int, inputs: Inputs) -> Inputs:
        return {
            "streamer": np.array([keys(*found)]),
            "score": np.array([[score for score, _ in found.values()]], np.float32),
            "because": np.array([keys(*(because for _, because in found.values()))]),
        }

    def similar(_: int, inputs: Inputs) -> Inputs:
        known = inputs[CANDIDATE_IDS][:, 1:] == keys("anna")
        return {
            "streamer": np.where(known, [keys(*found)], 0),
            "score": np.where(known, np.array([[score for score, _ in found.values()]], np.float32), np.float32(0)),
        }

    history, ids = catalog.layout(["user.watched.streamer", "streamer.id", "room.category"]).tensors
    return ScriptedModel(
        Layout((history, replace(ids, columns=ids.columns[::-1]))),
        {contract.SERVING_DEFAULT: (HISTORY_IDS,), contract.SIMILAR: (CANDIDATE_IDS,)},
        {contract.SERVING_DEFAULT: answer, contract.SIMILAR: similar},
    )


def pair_scorer(catalog: Catalog, scores: Mapping[str, float]) -> ScriptedModel:
    """A scorer of pairs that gives these streamers these scores, whoever asks; others get 0."""
    by_key = {key: np.float32(score) for key, score in zip(keys(*scores), scores.values(), strict=True)}

    def answer(_: int, inputs: Inputs) -> Inputs:
        return {"score": np.array([by_key.get(key, 0) for key in inputs[CANDIDATE_IDS][:, 0].tolist()], np.float32)}

    layout = catalog.layout(["user.id", "streamer.id"])
    return ScriptedModel(
        layout, {contract.SERVING_DEFAULT: (USER_IDS, CANDIDATE_IDS)}, {contract.SERVING_DEFAULT: answer}
    )


def vectors(platform: LivePlatform, **of_rooms: tuple[float, ...]) -> LiveIndex:
    """A live index with the vectors of the streamers' first rooms."""
    index = LiveIndex(2)
    index.put(platform.rows(*(f"{streamer}/1" for streamer in of_rooms)), np.array([*of_rooms.values()], np.float32))
    return index


@asynccontextmanager
async def served(
    platform: LivePlatform, models: Mapping[str, ScriptedModel]
) -> AsyncGenerator[tuple[Asking, ScriptedServer]]:
    """Serves models, which the platform's world then has; what asks them, and the server."""
    async with serving(dict(models)) as server:
        servers = ModelServers([server.target])
        catalog = build_catalog(CONTENT_WIDTH)
        for name, model in models.items():
            signatures = tuple(model.signatures)
            platform.models[name] = await bind(servers, catalog, name, 1, signatures, PATIENCE_S)
        yield Asking(servers, PATIENCE_S), server
        await servers.close()
