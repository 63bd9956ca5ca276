"""A model server whose answers a test writes: the real wire format on a real port, without TensorFlow."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.layout import CANDIDATE_FLOATS, CANDIDATE_IDS, USER_FLOATS, USER_IDS, Layout
from protos.onair.v1.tfserving_pb2 import (
    DataType,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    SignatureDefMap,
)
from serving import contract
from serving.tensors import fill, to_array

Inputs = Mapping[str, NDArray[Any]]
Compute = Callable[[int, Inputs], NDArray[np.float32] | Inputs]
"""What a signature answers: from the version and its inputs, its one output or all by name."""

WIDTH = 2
"""Length of the scripted two-tower's vectors."""

OUTPUTS = {contract.SERVING_DEFAULT: "predictions", contract.USER: "vector", contract.ROOM: "vector"}


@dataclass(slots=True)
class ScriptedModel:
    """One model.

    Attributes:
        layout: What its `layout` signature says.
        signatures: The inputs of each signature.
        compute: The answer of each signature.
        versions: The versions that are available.
        layouts: What single versions say instead, as strings.
    """

    layout: Layout
    signatures: dict[str, tuple[str, ...]]
    compute: dict[str, Compute]
    versions: set[int] = field(default_factory=lambda: {1})
    layouts: dict[int, dict[str, list[str]]] = field(default_factory=dict[int, dict[str, list[str]]])


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps calls waiting.

    Attributes:
        arrived: Is set when a call has come.
        released: Calls go on when the test sets it.
    """

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class ScriptedServer:
    """What it serves, and what it was asked.

    Attributes:
        models: The models by name; a test changes them while the server runs.
        target: Its address.
        asked: Model, version and signature of every Predict but those for layouts, in order of their coming.
        headers: The metadata of each of those Predicts.
        holds: Keep Predict calls of these model names or signatures waiting.
    """

    models: dict[str, ScriptedModel]
    target: str = ""
    asked: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    holds: dict[str, Hold] = field(default_factory=dict[str, Hold])

    async def predict(self, request: PredictRequest, context: Any) -> PredictResponse:
        """Answers as the scripts say; a version that is not there is NOT_FOUND."""
        spec = request.model_spec
        name, version, signature = spec.name, spec.version.value, spec.signature_name
        model = self.models.get(name)
        if model is None or version not in model.versions:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no version {version} of {name}")
            raise AssertionError
        response = PredictResponse(model_spec=spec)
        if signature == contract.LAYOUT:
            for output, specs in model.layouts.get(version, model.layout.to_strings()).items():
                fill(response.outputs[output], np.array([specs], object))
            return response
        self.asked.append((name, version, signature))
        self.headers.append(dict(context.invocation_metadata()))
        for key in (name, signature):
            if hold := self.holds.get(key):
                hold.arrived.set()
                await hold.released.wait()
        inputs = {key: to_array(value) for key, value in request.inputs.items()}
        answer = model.compute[signature](version, inputs)
        for output, array in answer.items() if isinstance(answer, Mapping) else [(OUTPUTS[signature], answer)]:
            fill(response.outputs[output], array)
        return response

    async def status(self, request: GetModelStatusRequest, context: Any) -> GetModelStatusResponse:
        """The available versions."""
        model = self.models.get(request.model_spec.name)
        if model is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_spec.name}")
            raise AssertionError
        statuses = [
            ModelVersionStatus(version=version, state=ModelVersionStatus.AVAILABLE)
            for version in sorted(model.versions, reverse=True)
        ]
        return GetModelStatusResponse(model_version_status=statuses)

    async def metadata(self, request: GetModelMetadataRequest, context: Any) -> GetModelMetadataResponse:
        """The inputs of the signatures."""
        model = self.models[request.model_spec.name]
        signatures = SignatureDefMap()
        for name, inputs in model.signatures.items():
            for each in inputs:
                info = signatures.signature_def[name].inputs[each]
                info.dtype, info.tensor_shape.unknown_rank = DataType.DT_FLOAT, True
        response = GetModelMetadataResponse(model_spec=request.model_spec)
        response.metadata[contract.SIGNATURE_FIELD].value = signatures.SerializeToString()
        return response


@asynccontextmanager
async def serving(models: dict[str, ScriptedModel]) -> AsyncGenerator[ScriptedServer]:
    """Serves models on a free port."""
    scripted = ScriptedServer(models)
    server = grpc.aio.server()
    calls = (
        (contract.PREDICT, scripted.predict, PredictRequest),
        (contract.GET_MODEL_STATUS, scripted.status, GetModelStatusRequest),
        (contract.GET_MODEL_METADATA, scripted.metadata, GetModelMetadataRequest),
    )
    for path, call, kind in calls:
        _, service, method = path.split("/")
        handler: Any = grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=kind.FromString, response_serializer=_to_bytes
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    scripted.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield scripted
    finally:
        await server.stop(None)


def _to_bytes(message: Message) -> bytes:
    return message.SerializeToString()


def two_tower(catalog: Catalog) -> ScriptedModel:
    """All rooms have the vector (1, version), and so do users: a mixed pair shows by its product."""

    def vectors(version: int, inputs: Inputs) -> NDArray[np.float32]:
        return np.tile(np.array([[1, version]], np.float32), (len(next(iter(inputs.values()))), 1))

    layout = catalog.layout(["user.enter.total", "user.id", "room.viewers", "room.category"])
    return ScriptedModel(
        layout,
        {contract.USER: (USER_FLOATS, USER_IDS), contract.ROOM: (CANDIDATE_FLOATS, CANDIDATE_IDS)},
        {contract.USER: vectors, contract.ROOM: vectors},
    )


def ranker(catalog: Catalog) -> ScriptedModel:
    """Predicts by the viewers in the room, so that the fullest room comes first; one head, `enter`."""

    def predictions(_: int, inputs: Inputs) -> NDArray[np.float32]:
        return (inputs[CANDIDATE_FLOATS] / 1000).astype(np.float32)

    layout = catalog.layout(["user.id", "room.viewers"], heads=("enter",))
    return ScriptedModel(
        layout, {contract.SERVING_DEFAULT: (USER_IDS, CANDIDATE_FLOATS)}, {contract.SERVING_DEFAULT: predictions}
    )
