"""Served models: one version with its layout, and the calls that the service makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.layout import Layout, LayoutError
from feature_service.features.tensors import TensorBuilder
from feature_service.features.view import View
from feature_service.model_servers import ModelServers
from serving import contract
from serving.errors import ServerFailedError

PREDICTIONS = "predictions"
"""Output of a ranker's `serving_default`: float32 [N, heads]."""

VECTOR = "vector"
"""Output of the signatures `user` and `room`: float32 [1 or N, width]."""

STREAMER = "streamer"
"""Output of a neighbour model: keys of streamers, best first, zeros behind, int64 [1 or N, M]."""

SCORE = "score"
"""Output of a neighbour model beside `streamer`, float32 [1 or N, M]; of a scorer of pairs, float32 [N]."""

BECAUSE = "because"
"""Output of a neighbour model: key of the watched streamer that brought each, int64 [1, M]."""

_PROBE = np.zeros(1, np.int32)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One version of a served model, bound to the catalogue.

    Attributes:
        name: Served name.
        version: Version; every call names it.
        layout: What it reads, and its heads.
        builders: The tensors of each signature, resolved.
    """

    name: str
    version: int
    layout: Layout
    builders: dict[str, TensorBuilder]

    async def call(
        self, servers: ModelServers, signature: str, output: str, view: View, timeout_s: float
    ) -> NDArray[np.float32]:
        """Builds a signature's tensors from a view, and asks for one output.

        Raises:
            ServingError: The model server failed, or was late.
        """
        tensors = self.builders[signature].build(view)
        return await self.predict(servers, signature, output, tensors, timeout_s)

    async def predict(
        self, servers: ModelServers, signature: str, output: str, tensors: dict[str, NDArray[Any]], timeout_s: float
    ) -> NDArray[np.float32]:
        """Asks for one output of ready tensors.

        Raises:
            ServingError: The model server failed, or was late.
        """
        answer = await servers.predict(
            self.name, tensors, signature=signature, version=self.version, outputs=(output,), timeout_s=timeout_s
        )
        return answer.outputs[output]

    async def predict_one(
        self,
        servers: ModelServers,
        signature: str,
        outputs: Sequence[str],
        tensors: Mapping[str, NDArray[Any]],
        timeout_s: float,
    ) -> dict[str, NDArray[Any]]:
        """Asks for several outputs of ready tensors that describe one user or streamer.

        Returns:
            The outputs by name, all of one length, [n] each.

        Raises:
            ServingError: The model server failed, was late, or answered with other shapes than [1, n].
        """
        answer = await servers.predict(
            self.name, tensors, signature=signature, version=self.version, outputs=outputs, timeout_s=timeout_s
        )
        shapes = {answer.outputs[output].shape for output in outputs}
        if len(shapes) > 1 or any(len(shape) != 2 or shape[0] != 1 for shape in shapes):
            received = ", ".join(f"{output} {list(answer.outputs[output].shape)}" for output in outputs)
            raise self.misshapen("outputs of one shape [1, n]", received)
        return {output: answer.outputs[output][0] for output in outputs}

    def misshapen(self, expected: str, received: str) -> ServerFailedError:
        """The error of an answer with other shapes than the model's kind has."""
        return ServerFailedError(grpc.StatusCode.INTERNAL, f"{self.name}: expected {expected}, received {received}")


async def bind(
    servers: ModelServers, catalog: Catalog, name: str, version: int, signatures: Sequence[str], timeout_s: float
) -> ServedModel:
    """Reads a version's layout and resolves the columns of these signatures.

    Raises:
        LayoutError: A signature is missing, or the catalogue cannot fill the layout; names every column.
        ServingError: The model server failed, or the model has no `layout` signature.
    """
    client = servers.next()
    answer = await client.predict(
        name, {"probe": _PROBE}, signature=contract.LAYOUT, version=version, timeout_s=timeout_s
    )
    layout = Layout.from_strings({output: _texts(rows) for output, rows in answer.outputs.items()})
    metadata = await client.metadata(name, version, timeout_s=timeout_s)
    builders: dict[str, TensorBuilder] = {}
    for signature in signatures:
        if signature not in metadata.signatures:
            raise LayoutError(f"{name} version {version}: expected a signature {signature}, received none")
        inputs = metadata.signatures[signature].inputs
        if unnamed := [tensor for tensor in inputs if tensor not in layout]:
            raise LayoutError(f"{name} version {version}: expected a layout of every input, {unnamed[0]} has none")
        builders[signature] = TensorBuilder(catalog, layout.select(inputs))
    return ServedModel(name, version, layout, builders)


def _texts(rows: NDArray[Any]) -> list[str]:
    """The strings of the first row of a `layout` output, [1, columns]."""
    return [text.decode() for text in rows[0].tolist()]
