"""Warm-up: requests that a model server runs before a version becomes available, so that no viewer waits for them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import prediction_log_pb2

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, USER_FLOATS, USER_IDS
from protos.onair.v1.tfserving_pb2 import PredictRequest
from serving.client import predict_request
from serving.contract import INIT_OP_SIGNATURE

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")

CANDIDATE_COUNTS = (1, 50, 200, 500)
"""Shapes are traced and buffers grow by size: from one room to the largest ranking call."""

_ONE_ROW = frozenset({USER_FLOATS, USER_IDS, HISTORY_FLOATS, HISTORY_IDS, "probe"})
"""Inputs that come once a request, whatever the number of candidates."""

Signatures = Mapping[str, meta_graph_pb2.SignatureDef]


def write_warmup(directory: Path, model: str, signatures: Signatures) -> int:
    """Writes the requests of every signature into a version directory, as a TFRecord of `PredictionLog`.

    Returns:
        How many; a model server accepts up to 1,000.
    """
    path = directory / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    requests = list(warmup_requests(model, signatures))
    with tf.io.TFRecordWriter(str(path)) as records:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()  # pyright: ignore[reportAttributeAccessIssue]
            log.predict_log.request.MergeFromString(request.SerializeToString())
            records.write(log.SerializeToString())
    return len(requests)


def warmup_requests(model: str, signatures: Signatures) -> Iterator[PredictRequest]:
    """A Predict of each signature, once per candidate count if it takes candidates.

    The values are zeros (an unknown viewer, unknown rooms): every op runs whatever they are.
    """
    for key, signature in sorted(signatures.items()):
        if key == INIT_OP_SIGNATURE:
            continue
        counts = (1,) if set(signature.inputs) <= _ONE_ROW else CANDIDATE_COUNTS
        for count in counts:
            inputs = {name: _zeros(info, 1 if name in _ONE_ROW else count) for name, info in signature.inputs.items()}
            yield predict_request(model, inputs, signature=key)


def _zeros(info: meta_graph_pb2.TensorInfo, rows: int) -> np.ndarray:
    """Zeros, or empty strings, of an input's shape; an unknown first dimension is `rows`, another one is 1."""
    sizes = [dim.size for dim in info.tensor_shape.dim]
    shape = [size if size >= 0 else 1 if place else rows for place, size in enumerate(sizes)]
    dtype = tf.as_dtype(info.dtype)
    return np.full(shape, b"", object) if dtype == tf.string else np.zeros(shape, dtype.as_numpy_dtype)
