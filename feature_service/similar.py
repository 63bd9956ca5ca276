"""Similar streamers: the neighbours of a streamer by the served neighbour model, and who of them is on air."""

from dataclasses import dataclass

import numpy as np

from feature_service.features.layout import CANDIDATE_IDS
from feature_service.features.schema import key_of
from feature_service.model_servers import ModelServers
from feature_service.models import SCORE, STREAMER
from feature_service.stages import World
from serving import contract

MODEL = "item_cf"
"""Served name of the neighbour model."""


class NotServedError(Exception):
    """No version of the model that an answer needs serves."""


@dataclass(frozen=True, slots=True)
class Similar:
    """One similar streamer.

    Attributes:
        streamer_id: The platform's id.
        score: The similarity; within one answer only.
        room_id: The streamer's room on air; empty = off air.
    """

    streamer_id: str
    score: float
    room_id: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The similar streamers, best first, and the version of the model that says so."""

    streamers: tuple[Similar, ...]
    version: int


async def similar_streamers(
    servers: ModelServers, world: World, streamer_id: str, k: int, *, live_only: bool, now_ms: int, timeout_s: float
) -> Neighbours:
    """At most `k` streamers; none of one who is unknown, to the service or to the model.

    Args:
        servers: The model servers.
        world: The state, and the models that serve.
        streamer_id: Whose neighbours.
        k: How many at most.
        live_only: Whether to leave out who is off air.
        now_ms: The clock, Unix milliseconds.
        timeout_s: The model server's deadline.

    Raises:
        NotServedError: No version of the neighbour model serves.
        ServingError: The model server failed, or was late.
    """
    model = world.models.get(MODEL)
    if model is None:
        raise NotServedError(f"similar streamers: expected a served model {MODEL}, received none")
    own_key = key_of("streamer", streamer_id)
    ids = model.builders[contract.SIMILAR].layout[CANDIDATE_IDS]
    tensor = np.zeros((1, ids.width), np.int64)  # What else the layout names there, similarity does not read.
    tensor[:, ids.slices()["streamer.id"]] = own_key
    answer = await model.predict_one(servers, contract.SIMILAR, (STREAMER, SCORE), {CANDIDATE_IDS: tensor}, timeout_s)
    keys, scores = answer[STREAMER], answer[SCORE]
    rows = world.live.rows_of_streamers(keys, now_ms)
    room_keys = world.state.rooms.fields["key"][rows]
    rooms, names = world.state.facts.rooms, world.state.facts.streamers
    found = [
        Similar(names[key], score, rooms[room_key].room_id if row else "")
        for key, score, row, room_key in zip(
            keys.tolist(), scores.tolist(), rows.tolist(), room_keys.tolist(), strict=True
        )
        if key in names and key != own_key and (row or not live_only)
    ]
    return Neighbours(tuple(found[:k]), model.version)
