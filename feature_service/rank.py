"""Ranking: the features of the candidates, and the heads that the served ranker predicts of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import Layout
from feature_service.features.tensors import Tensors
from feature_service.features.view import View
from feature_service.live.table import Rows
from feature_service.model_servers import ModelServers
from feature_service.models import PREDICTIONS, ServedModel
from feature_service.stages import Request, World
from serving import contract


def view_of(request: Request, world: World, rows: Rows) -> View:
    """The columns of a request's user and candidates, as the state stands now."""
    return world.state.view(request.user_key, rows, world.live.streamer_rows(rows), request.context, request.now_ms)


@dataclass(frozen=True, slots=True)
class RankerCall:
    """What a ranker was called with, and where the ranked rooms stand in it.

    Attributes:
        model: The ranker.
        tensors: User and history tensors [1, …], candidate tensors [N, width].
        rows: Row of each ranked room in the candidate tensors, by descending score, intp [N].
    """

    model: ServedModel
    tensors: Tensors
    rows: NDArray[np.intp]

    @property
    def layout(self) -> Layout:
        """The columns of the tensors."""
        return self.model.builders[contract.SERVING_DEFAULT].layout


async def predict_heads(
    model: ServedModel, servers: ModelServers, tensors: Tensors, count: int, timeout_s: float
) -> NDArray[np.float32]:
    """The ranker's predictions of so many candidates, float32 [N, heads], columns as in `model.layout.heads`.

    Raises:
        ServingError: The model server failed, was late, or answered with another shape.
    """
    predictions = await model.predict(servers, contract.SERVING_DEFAULT, PREDICTIONS, tensors, timeout_s)
    expected = (count, len(model.layout.heads))
    if predictions.shape != expected:
        raise model.misshapen(f"predictions {list(expected)}", str(list(predictions.shape)))
    return predictions
