"""An asynchronous client of TensorFlow Serving that needs no TensorFlow."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from protos.onair.v1.tfserving_pb2 import (
    Code,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelServerConfig,
    ModelSpec,
    ModelVersionStatus,
    PredictRequest,
    PredictResponse,
    ReloadConfigRequest,
    ReloadConfigResponse,
)
from serving import contract
from serving.credentials import PLAIN, Credentials
from serving.errors import serving_error, status_of_number
from serving.tensors import Array, fill, to_array

ADMIN_TIMEOUT_S = 5.0  # status and metadata: answered from memory
RELOAD_TIMEOUT_S = 120.0  # a reload returns when the new models are loaded

_CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.max_pings_without_data", 0),
)

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

Metadata = Sequence[tuple[str, str]]
"""What goes with a call beside its message: names in lower case, and values."""

Watch = Callable[[ModelSpec], AbstractContextManager[Metadata]]
"""Is told the model of each Predict, and lasts as long as the call; gives what goes with it."""

_NOTHING: AbstractContextManager[Metadata] = nullcontext(())


def unwatched(spec: ModelSpec) -> AbstractContextManager[Metadata]:  # noqa: ARG001
    """Nobody watches, and nothing goes with the call."""
    return _NOTHING


@dataclass(frozen=True, slots=True)
class Prediction:
    """A Predict answer.

    Attributes:
        outputs: The signature's outputs (those asked for), read-only arrays.
        version: The model version that computed them.
    """

    outputs: dict[str, Array]
    version: int


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The state of one version of a model.

    Attributes:
        version: The version's number.
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        code: `OK`, or why the load failed (on END only).
        message: The server's words on a failed load, else empty.
    """

    version: int
    state: str
    code: grpc.StatusCode
    message: str

    @property
    def available(self) -> bool:
        """Whether the version answers Predict."""
        return self.state == "AVAILABLE"


class ModelServerClient:
    """One channel to one model server, for all of its models.

    To be made inside a running event loop and closed with `close` or `async with`.
    """

    def __init__(self, target: str, *, credentials: Credentials = PLAIN, watch: Watch = unwatched) -> None:
        """Opens the channel lazily: nothing is sent before the first call; `target` remembers where to.

        Args:
            target: gRPC address, `host:port`.
            credentials: By what the server is known, and what it knows us by.
            watch: Sees each Predict.
        """
        self.target = target
        self._watch = watch
        self._channel = credentials.aio_channel(target, _CHANNEL_OPTIONS)
        self._predict = self._method(contract.PREDICT, PredictRequest, PredictResponse)
        self._metadata = self._method(contract.GET_MODEL_METADATA, GetModelMetadataRequest, GetModelMetadataResponse)
        self._status = self._method(contract.GET_MODEL_STATUS, GetModelStatusRequest, GetModelStatusResponse)
        self._reload = self._method(contract.RELOAD_CONFIG, ReloadConfigRequest, ReloadConfigResponse)

    async def predict(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        signature: str = contract.SERVING_DEFAULT,
        version: int | None = None,
        label: str | None = None,
        outputs: Sequence[str] | None = None,
        timeout_s: float,
    ) -> Prediction:
        """Runs a signature.

        Args:
            model: The model's name.
            inputs: The signature's inputs by name.
            signature: The signature's name.
            version: Exactly this version; None with no label: the highest available one.
            label: The version that carries this label; not together with `version`.
            outputs: Names of the outputs wanted; None: all.
            timeout_s: Deadline, seconds from now.

        Raises:
            ServingError: One of its kinds, with the server's message.
            ValueError: Both version and label, or an array that cannot travel.
        """
        request = predict_request(model, inputs, signature=signature, version=version, label=label, outputs=outputs)
        with self._watch(request.model_spec) as metadata:
            response = await _answer(self._predict(request, timeout=timeout_s, metadata=tuple(metadata)))
        arrays = {name: to_array(tensor) for name, tensor in response.outputs.items()}
        return Prediction(arrays, response.model_spec.version.value)

    async def metadata(
        self,
        model: str,
        version: int | None = None,
        *,
        label: str | None = None,
        timeout_s: float = ADMIN_TIMEOUT_S,
    ) -> contract.ModelMetadata:
        """The signatures of a model's version (default: the highest available one).

        Raises:
            ServingError: One of its kinds, with the server's message.
            ValueError: A signature that we cannot hold, or both version and label.
        """
        spec = model_spec(model, version=version, label=label)
        request = GetModelMetadataRequest(model_spec=spec, metadata_field=[contract.SIGNATURE_FIELD])
        return contract.parse_metadata(await _answer(self._metadata(request, timeout=timeout_s)))

    async def model_status(
        self, model: str, version: int | None = None, *, timeout_s: float = ADMIN_TIMEOUT_S
    ) -> list[VersionStatus]:
        """The states of a model's versions, highest first, ended ones included.

        Raises:
            ModelNotFoundError: The server knows no version of this model.
            ServingError: Any other failure.
        """
        request = GetModelStatusRequest(model_spec=model_spec(model, version=version))
        response = await _answer(self._status(request, timeout=timeout_s))
        return [_version_status(item) for item in response.model_version_status]

    async def reload_config(self, config: ModelServerConfig, *, timeout_s: float = RELOAD_TIMEOUT_S) -> None:
        """Replaces the server's model list, labels included; returns when its new models are available.

        Raises:
            ServingError: The config is refused, or a new model did not become available.
        """
        response = await _answer(self._reload(ReloadConfigRequest(config=config), timeout=timeout_s))
        if response.status.error_code != Code.OK:
            raise serving_error(status_of_number(response.status.error_code), response.status.error_message)

    async def close(self) -> None:
        """Closes the channel; calls in flight are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _method(
        self, path: str, request: type[Request], response: type[Response]
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Request, Response]":
        return self._channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )


def model_spec(model: str, *, signature: str = "", version: int | None = None, label: str | None = None) -> ModelSpec:
    """The `ModelSpec` of a call.

    Raises:
        ValueError: Both a version and a label are given.
    """
    if version is not None and label is not None:
        raise ValueError(f"model {model}: expected a version or a label, received version {version} and label {label}")
    spec = ModelSpec(name=model, signature_name=signature)
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    return spec


def predict_request(
    model: str,
    inputs: Mapping[str, Array],
    *,
    signature: str = contract.SERVING_DEFAULT,
    version: int | None = None,
    label: str | None = None,
    outputs: Iterable[str] | None = None,
) -> PredictRequest:
    """The message of a Predict call; each tensor's bytes are copied into it once.

    Raises:
        ValueError: Both version and label, or an array that cannot travel (with the input's name).
    """
    request = PredictRequest(model_spec=model_spec(model, signature=signature, version=version, label=label))
    if outputs is not None:
        request.output_filter.extend(outputs)
    for name, array in inputs.items():
        try:
            fill(request.inputs[name], array)
        except ValueError as error:
            raise ValueError(f"input {name}: {error}") from error
    return request


async def _answer(call: Awaitable[Response]) -> Response:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise serving_error(error.code(), error.details() or "the server gave no reason") from error


def _version_status(item: ModelVersionStatus) -> VersionStatus:
    state = ModelVersionStatus.State.Name(item.state)
    return VersionStatus(item.version, state, status_of_number(item.status.error_code), item.status.error_message)
