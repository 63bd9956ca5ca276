"""Ranking: the features of the candidates, and the heads that the served ranker predicts of them."""

import numpy as np
from numpy.typing import NDArray

from feature_service.features.view import View
from feature_service.live.table import Rows
from feature_service.models import PREDICTIONS, ModelServers, ServedModel
from feature_service.stages import Request, World
from serving import contract


def view_of(request: Request, world: World, rows: Rows) -> View:
    """The columns of a request's user and candidates, as the state stands now."""
    return world.state.view(request.user_key, rows, world.live.streamer_rows(rows), request.context, request.now_ms)


async def predict_heads(model: ServedModel, servers: ModelServers, view: View, timeout_s: float) -> NDArray[np.float32]:
    """The ranker's predictions, float32 [N, heads], columns as in `model.layout.heads`.

    Raises:
        ServingError: The model server failed, was late, or answered with another shape.
    """
    predictions = await model.call(servers, contract.SERVING_DEFAULT, PREDICTIONS, view, timeout_s)
    expected = (len(view.room), len(model.layout.heads))
    if predictions.shape != expected:
        raise model.misshapen(f"predictions {list(expected)}", str(list(predictions.shape)))
    return predictions
