"""What the server answers, whatever the transport: finds the version, checks the request, runs the signature."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

import grpc

from protos.onair.v1.tfserving_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
    ReloadConfigRequest,
    ReloadConfigResponse,
    TensorProto,
)
from serving.contract import SERVING_DEFAULT, SIGNATURE_FIELD, SIGNATURE_MAP_TYPE
from serving.errors import ServingError, number_of_status, serving_error
from serving.local.repository import Repository
from serving.local.servable import Input, RunnableSignature, Servable
from serving.local.served_config import ServedConfig
from serving.tensors import Array, data_type, fill, to_array, type_label


class DataPlane:
    """Answers the four calls; raises ServingError with TF Serving's codes and messages."""

    def __init__(self, repository: Repository, config: ServedConfig) -> None:
        self._repository = repository
        self._config = config

    @contextmanager
    def model(self, spec: ModelSpec) -> Generator[tuple[int, Servable]]:
        """Holds the version that a `ModelSpec` means: its number and the loaded model.

        Raises:
            ServingError: No name, an unknown label, or nothing available.
        """
        if not spec.name:
            raise _refused("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        number: int | None = None
        if choice == "version":
            number = spec.version.value
        elif choice == "version_label":
            number = self._config.version_of_label(spec.name, spec.version_label)
        with self._repository.use(spec.name, number) as held:
            yield held

    def predict(self, request: PredictRequest) -> PredictResponse:
        """PredictionService.Predict."""
        if not request.HasField("model_spec"):
            raise _refused("Missing ModelSpec")
        with self.model(request.model_spec) as (number, servable):
            signature = find_signature(servable, request.model_spec.signature_name)
            outputs = run(signature, decode_inputs(signature, request.inputs), request.output_filter)
        response = PredictResponse()
        _answer_spec(response.model_spec, request.model_spec.name, number).signature_name = signature.name
        for alias, array in outputs.items():
            fill(response.outputs[alias], array)
        return response

    def model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """PredictionService.GetModelMetadata."""
        if not request.HasField("model_spec"):
            raise _refused("Missing ModelSpec")
        if not request.metadata_field:
            raise _refused("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != SIGNATURE_FIELD:
                raise _refused(f"Metadata field {name} is not supported")
        response = GetModelMetadataResponse()
        with self.model(request.model_spec) as (number, servable):
            signature_map = servable.signature_map
        _answer_spec(response.model_spec, request.model_spec.name, number)
        metadata = response.metadata[SIGNATURE_FIELD]
        metadata.type_url = SIGNATURE_MAP_TYPE
        metadata.value = signature_map
        return response

    def model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """ModelService.GetModelStatus; a label in the request is ignored, as in TF Serving."""
        if not request.HasField("model_spec"):
            raise _refused("Missing ModelSpec")
        spec = request.model_spec
        states = self._repository.states(spec.name)
        if spec.HasField("version"):
            states = [state for state in states if state[0] == spec.version.value]
        if not states:
            what = f"version {spec.version.value}" if spec.HasField("version") else "any versions"
            raise serving_error(grpc.StatusCode.NOT_FOUND, f"Could not find {what} of model {spec.name}")
        response = GetModelStatusResponse()
        for number, state, error in states:
            item = response.model_version_status.add(version=number, state=state)
            item.status.SetInParent()
            if error is not None:
                item.status.error_code = number_of_status(error.code)
                item.status.error_message = error.message
        return response

    def reload_config(self, request: ReloadConfigRequest) -> ReloadConfigResponse:
        """ModelService.HandleReloadConfigRequest."""
        self._config.reload(request.config)
        response = ReloadConfigResponse()
        response.status.SetInParent()
        return response


def find_signature(servable: Servable, name: str) -> RunnableSignature:
    """The signature of a name; an empty one means `serving_default`.

    Raises:
        RequestRefusedError: FAILED_PRECONDITION, the model has no such signature.
    """
    signature = servable.signatures.get(name or SERVING_DEFAULT)
    if signature is None:
        raise serving_error(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name or SERVING_DEFAULT}" not found.'
        )
    return signature


def decode_inputs(signature: RunnableSignature, tensors: Mapping[str, TensorProto]) -> list[Array]:
    """The arrays of a request, in the order of the signature's inputs.

    Raises:
        RequestRefusedError: An input is missing, surplus or misnamed, does not parse, or has another dtype.
    """
    wanted = {feed.alias for feed in signature.inputs}
    if len(tensors) != len(wanted):
        raise _refused(
            f"input size does not match signature: {len(tensors)}!={len(wanted)}"
            f" len({_names(tensors)}) != len({_names(wanted)})."
            f" Sent extra: {_names(set(tensors) - wanted)}. Missing but required: {_names(wanted - set(tensors))}."
        )
    for feed in sorted(signature.inputs, key=lambda item: item.alias):
        if feed.alias not in tensors:
            raise _refused(
                f"Signature input alias: {feed.alias}(feed name: {feed.tensor}) not found in request and no default"
                f" value provided. Inputs expected to be in the request {_names(tensors)}, or default input alias set: "
            )
    return [_decode(feed, tensors[feed.alias]) for feed in signature.inputs]


def run(
    signature: RunnableSignature, arrays: Sequence[Array], output_filter: Sequence[str] = ()
) -> Mapping[str, Array]:
    """Runs a signature.

    Args:
        signature: What to run.
        arrays: Its inputs, in their order.
        output_filter: The outputs wanted; none named: all.

    Returns:
        The outputs by alias.

    Raises:
        ServingError: A wrong dtype, an unknown or repeated output, or whatever TensorFlow says.
    """
    aliases = _filtered(signature, output_filter)
    for index, (feed, array) in enumerate(zip(signature.inputs, arrays, strict=True)):
        given = data_type(array.dtype)
        if given != feed.data_type:
            expected = type_label(feed.data_type)
            raise _refused(f"Expects arg[{index}] to be {expected} but {type_label(given)} is provided")
    outputs = dict(zip(signature.outputs, signature.run(arrays), strict=True))
    return {alias: outputs[alias] for alias in aliases}


def _filtered(signature: RunnableSignature, output_filter: Sequence[str]) -> Sequence[str]:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise _refused(
                f"output tensor alias not found in signature: {alias}"
                f" Outputs expected to be in the set {_names(signature.outputs)}."
            )
        if alias in seen:
            raise _refused(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return output_filter or signature.outputs


def _decode(feed: Input, tensor: TensorProto) -> Array:
    try:
        return to_array(tensor)
    except (ValueError, MemoryError) as error:  # a shape may name more values than memory holds
        raise _refused(f"tensor parsing error: {feed.alias}") from error


def _answer_spec(spec: ModelSpec, name: str, number: int) -> ModelSpec:
    spec.name = name
    spec.version.value = number
    return spec


def _names(names: Sequence[str] | Mapping[str, object] | set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _refused(message: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, message)
