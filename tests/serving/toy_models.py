"""The small model `m` on which TF Serving's behaviour was recorded, and versions of it that fail in each known way."""
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# (TensorFlow and its messages have no types.)

import shutil
from pathlib import Path

import training  # noqa: F401  (selects Keras 2 before TensorFlow is imported)

import tensorflow as tf  # isort: skip
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2  # isort: skip


class ToyModel(tf.Module):
    """`y` = the sum of `x`'s three columns + the version; so [1, 1, 1] gives 4 at version 1 and 5 at version 2."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = tf.Variable(float(version), name="ver")
        self.weights = tf.Variable(tf.ones([3, 1]), name="weights")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def default(self, x):
        rows = tf.shape(x)[0]
        return {"y": tf.matmul(x, self.weights) + self.version, "batch": tf.fill([rows], rows)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "s"), tf.TensorSpec([None], tf.int64, "n")])
    def two(self, s, n):
        return {"joined": tf.strings.join([s, tf.strings.as_string(n)], separator="-")}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "s")])
    def scalar(self, s):
        return {"len": tf.strings.length(s)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "i")])
    def boom(self, i):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(i >= 0), ["negative id", i])]):
            i = tf.identity(i)
        return {"value": tf.gather(tf.constant([1.0, 2.0, 3.0]), i)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "probe")])
    def layout(self, probe):
        columns = tf.constant([["a@1:float32:1", "b@1:int64:2"]])
        return {"candidate": tf.repeat(columns, tf.size(probe), axis=0)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "rounds")])
    def slow(self, rounds):
        square = tf.random.uniform([256, 256], seed=1)
        ignored = tf.while_loop(
            lambda i, _: i < rounds[0], lambda i, m: (i + 1, tf.matmul(m, square) / 128.0), [0, square]
        )
        return {"rounds": tf.reshape(ignored[0], [1])}


def save_version(base: Path, version: int) -> Path:
    """Writes a good version directory."""
    model = ToyModel(version)
    path = base / str(version)
    names = ("two", "scalar", "boom", "layout", "slow")
    signatures = {"serving_default": model.default} | {name: getattr(model, name) for name in names}
    tf.saved_model.save(model, str(path), signatures=signatures)
    return path


def add_warmup(version_path: Path, *records: bytes) -> None:
    """Writes a version's warm-up file."""
    path = version_path / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def warmup_record(values: list, dtype: tf.DType = tf.float32, signature: str = "serving_default") -> bytes:
    """One warm-up record of a Predict call with input `x`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(values, dtype))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    ).SerializeToString()


def appear(source: Path, target: Path) -> Path:
    """Makes a version directory appear whole, as a publisher does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent.parent / f".{target.parent.name}-{target.name}"
    shutil.copytree(source, staging)
    return staging.rename(target)
