"""Asks the served models of channels about a request's user, whom all of them read once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import TensorLayout
from feature_service.features.tensors import TensorBuilder, Tensors
from feature_service.features.view import View
from feature_service.live.table import Rows
from feature_service.model_servers import ModelServers
from feature_service.models import ServedModel
from feature_service.rank import view_of
from feature_service.stages import Request, World

_NO_ROOMS = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class _Viewer:
    """A request's user.

    Attributes:
        request: The request.
        view: The user's columns, without candidates.
        built: The tensors made of them.
    """

    request: Request
    view: View
    built: list[tuple[TensorLayout, NDArray[Any]]] = field(default_factory=list[tuple[TensorLayout, NDArray[Any]]])


class Asking:
    """Calls of recall models.

    The channels of a request start together: to keep the user of the latest one is enough for all of them to share it.
    """

    def __init__(self, servers: ModelServers, timeout_s: float) -> None:
        """Asks nothing yet.

        Args:
            servers: The model servers.
            timeout_s: The deadline of a call; the pipeline cancels what it does not wait for any longer.
        """
        self._servers = servers
        self._timeout_s = timeout_s
        self._latest: _Viewer | None = None

    async def about_user(
        self, model: ServedModel, signature: str, outputs: Sequence[str], request: Request, world: World
    ) -> Tensors:
        """The outputs of a signature that reads the user alone, all of one length, [n] each.

        Raises:
            ServingError: The model server failed, was late, or answered with other shapes.
        """
        tensors = self._user_tensors(model.builders[signature], request, world)
        return await model.predict_one(self._servers, signature, outputs, tensors, self._timeout_s)

    async def about_rooms(
        self, model: ServedModel, signature: str, output: str, request: Request, world: World, rows: Rows
    ) -> NDArray[np.float32]:
        """The output of a signature that reads the user and rooms, one number a room, [N].

        Raises:
            ServingError: The model server failed, was late, or answered with another shape.
        """
        tensors = model.builders[signature].build(view_of(request, world, rows))
        numbers = await model.predict(self._servers, signature, output, tensors, self._timeout_s)
        if numbers.shape != rows.shape:
            raise model.misshapen(f"{output} {list(rows.shape)}", str(list(numbers.shape)))
        return numbers

    def _user_tensors(self, builder: TensorBuilder, request: Request, world: World) -> Tensors:
        """The user's tensors of a layout, each built once a request."""
        viewer = self._latest
        if viewer is None or viewer.request is not request:
            viewer = self._latest = _Viewer(request, view_of(request, world, _NO_ROOMS))
        return builder.build_beside(viewer.view, viewer.built)
