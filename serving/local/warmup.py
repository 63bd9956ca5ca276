"""Warm-up: runs a version's recorded requests before it becomes available."""
# pyright: basic
# (TensorFlow has no types.)

from pathlib import Path

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from protos.onair.v1.tfserving_pb2 import PredictRequest
from serving.errors import serving_error
from serving.local.dataplane import decode_inputs, find_signature, run
from serving.local.servable import Servable

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")


def warm_up(servable: Servable, version_path: Path) -> int:
    """Runs each `PredictLog` of the version's warm-up file (TFRecord of `PredictionLog`), if it has one.

    Returns:
        The number of requests run.

    Raises:
        ServingError: A record does not parse, is no Predict, or fails: the version must not become available.
    """
    path = version_path / WARMUP_FILE
    if not path.exists():
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            request = _request(bytes(record), path)
            signature = find_signature(servable, request.model_spec.signature_name)
            run(signature, decode_inputs(signature, request.inputs), request.output_filter)
            count += 1
    except tf.errors.DataLossError as error:
        raise serving_error(grpc.StatusCode.DATA_LOSS, f"{path}: {error.message}") from error
    return count


def _request(record: bytes, path: Path) -> PredictRequest:
    try:
        entry = prediction_log_pb2.PredictionLog.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    except DecodeError as error:
        text = record.decode(errors="replace")
        raise serving_error(
            grpc.StatusCode.INVALID_ARGUMENT, f"Failed to parse warmup record: {text} from {path}"
        ) from error
    kind = entry.WhichOneof("log_type")
    if kind != "predict_log":
        raise serving_error(
            grpc.StatusCode.UNIMPLEMENTED, f"Warm-up record of {path}: expected predict_log, received {kind}"
        )
    return PredictRequest.FromString(entry.predict_log.request.SerializeToString())
