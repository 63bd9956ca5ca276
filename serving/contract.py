"""What both ends of a model server agree on: method paths, signature names, and what a model's metadata says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from protos.onair.v1.tfserving_pb2 import GetModelMetadataResponse, SignatureDefMap, TensorInfo
from serving.tensors import numpy_dtype, spec_shape

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD_CONFIG = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

SERVING_DEFAULT = "serving_default"  # rankers: user and candidate tensors → one output per head
USER = "user"  # two-tower: the user's tensors → the user's vector
ROOM = "room"  # two-tower: the rooms' tensors → the rooms' vectors
SIMILAR = "similar"  # item-CF: streamers → their neighbours
LAYOUT = "layout"  # every model: `probe` int32 [B] → the columns of each tensor as strings [B, columns]

SIGNATURE_FIELD = "signature_def"  # the only `metadata_field` that TF Serving knows
SIGNATURE_MAP_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
INIT_OP_SIGNATURE = "__saved_model_init_op"  # stands in a SavedModel's signatures but is no call


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a signature says of one tensor.

    Attributes:
        dtype: numpy dtype; `object` (holding bytes) for strings.
        shape: None for an unknown dimension, or for the whole where the rank is unknown.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """The named inputs and outputs of one signature."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What GetModelMetadata says of a model: the version that answered, and its signatures by name."""

    name: str
    version: int
    signatures: Mapping[str, Signature]


def parse_metadata(response: GetModelMetadataResponse) -> ModelMetadata:
    """Reads the signatures out of a GetModelMetadata response.

    Raises:
        ValueError: The response holds no signatures, or one of a dtype that we cannot hold.
    """
    if SIGNATURE_FIELD not in response.metadata:
        raise ValueError(f"metadata of model {response.model_spec.name} lacks {SIGNATURE_FIELD}")
    # Unpack would compare the type's name, and ours is another: read the bytes.
    signature_map = SignatureDefMap.FromString(response.metadata[SIGNATURE_FIELD].value)
    signatures = {
        name: Signature(
            inputs={key: _spec(info) for key, info in sorted(signature.inputs.items())},
            outputs={key: _spec(info) for key, info in sorted(signature.outputs.items())},
        )
        for name, signature in sorted(signature_map.signature_def.items())
        if name != INIT_OP_SIGNATURE
    }
    spec = response.model_spec
    return ModelMetadata(spec.name, spec.version.value, signatures)


def _spec(info: TensorInfo) -> TensorSpec:
    return TensorSpec(numpy_dtype(info.dtype), spec_shape(info.tensor_shape))
