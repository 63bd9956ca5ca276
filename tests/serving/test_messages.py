"""Our messages have the bytes of TensorFlow Serving's, both ways."""
# pyright: reportAttributeAccessIssue=false
# (TensorFlow's messages have no types.)

import numpy as np
import pytest

import tests.serving.toy_models  # noqa: F401  (TensorFlow, with Keras 2)

import tensorflow as tf  # isort: skip
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from protos.onair.v1 import tfserving_pb2 as ours
from serving.client import predict_request
from serving.tensors import to_array, to_proto

SPEC = 'model_spec { name: "mmoe" version { value: 7 } signature_name: "user" }'
TENSOR = (
    "dtype: DT_INT64 tensor_shape { dim { size: 2 } dim { size: 1 name: 'n' } } tensor_content: '\\x01\\x02'"
    " int64_val: -3 float_val: [1.5, -2] double_val: 2.5 int_val: 4 string_val: 'a' bool_val: true half_val: 5"
    " uint32_val: 6 uint64_val: 7 scomplex_val: 1 dcomplex_val: 2 version_number: 9"
)
CONFIG = """
config { model_config_list { config {
  name: "two_tower" base_path: "/models/two_tower" model_platform: "tensorflow" model_type: TENSORFLOW
  model_version_policy { specific { versions: 1 versions: 2 } } version_labels { key: "stable" value: 1 }
  logging_config { log_collector_config { type: "t" filename_prefix: "p" } sampling_config { sampling_rate: 0.5 } }
} config { name: "esmm" model_version_policy { latest { num_versions: 2 } } }
  config { name: "mmoe" model_version_policy { all {} } } } }
metric_names: "a"
"""
SIGNATURES = """
signature_def { key: "user" value {
  inputs { key: "x" value { name: "x:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { size: 3 } } } }
  outputs { key: "y" value { name: "y:0" dtype: DT_STRING tensor_shape { unknown_rank: true } } }
  method_name: "tensorflow/serving/predict" } }
"""

PAIRS = [
    (ours.PredictRequest, predict_pb2, "PredictRequest", (f'{SPEC} inputs {{ key: "x" value {{ {TENSOR} }} }}'
     ' output_filter: "a"')),
    (ours.PredictResponse, predict_pb2, "PredictResponse", f'{SPEC} outputs {{ key: "y" value {{ {TENSOR} }} }}'),
    (ours.PredictRequest, predict_pb2, "PredictRequest", 'model_spec { name: "m" version_label: "stable" }'),
    (ours.GetModelMetadataRequest, get_model_metadata_pb2, "GetModelMetadataRequest", f"{SPEC} metadata_field: 's'"),
    (ours.SignatureDefMap, get_model_metadata_pb2, "SignatureDefMap", SIGNATURES),
    (ours.GetModelStatusRequest, get_model_status_pb2, "GetModelStatusRequest", SPEC),
    (ours.GetModelStatusResponse, get_model_status_pb2, "GetModelStatusResponse",
     'model_version_status { version: 3 state: END status { error_code: NOT_FOUND error_message: "gone" } }'),
    (ours.ReloadConfigRequest, model_management_pb2, "ReloadConfigRequest", CONFIG),
    (ours.ReloadConfigResponse, model_management_pb2, "ReloadConfigResponse",
     'status { error_code: UNAVAILABLE } metric { name: "m" int64_value_increase: 2 }'),
]  # fmt: skip


@pytest.mark.parametrize(("our_type", "module", "name", "text"), PAIRS, ids=[pair[2] for pair in PAIRS])
def test_a_message_has_the_same_bytes_in_both_packages(our_type: type[Message], module, name, text):
    mine = text_format.Parse(text, our_type())
    theirs = text_format.Parse(text, getattr(module, name)())

    content = theirs.SerializeToString(deterministic=True)

    assert mine.SerializeToString(deterministic=True) == content
    assert our_type.FromString(content) == mine
    assert type(theirs).FromString(mine.SerializeToString()) == theirs


ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.array(2.5),
    np.array([1.5, -2], np.float16),
    np.arange(4, dtype=np.int64).reshape(4, 1)[::-1],
    np.array([[True, False]]),
    np.array([1, 255], np.uint8),
    np.array([-1], np.int8),
    np.array([1 + 2j], np.complex64),
    np.zeros((0, 3), np.int32),
    np.array([[b"a", b"\xff"]], dtype=object),
]


@pytest.mark.parametrize("array", ARRAYS, ids=[f"{array.dtype}{array.shape}" for array in ARRAYS])
def test_tensorflow_reads_the_array_we_wrote_and_we_read_the_one_it_wrote(array):
    proto = tf.make_tensor_proto(array)
    mine = ours.TensorProto.FromString(proto.SerializeToString())
    theirs = type(proto).FromString(to_proto(array).SerializeToString())

    np.testing.assert_array_equal(to_array(mine), array)
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)
    assert to_array(mine).dtype == array.dtype


def test_a_predict_request_is_the_one_tensorflow_would_send():
    x = np.arange(3, dtype=np.float32).reshape(1, 3)
    theirs = predict_pb2.PredictRequest()
    theirs.model_spec.name, theirs.model_spec.signature_name = "m", "serving_default"
    theirs.model_spec.version.value = 4
    theirs.inputs["x"].CopyFrom(tf.make_tensor_proto(x))
    theirs.output_filter.append("y")

    mine = predict_request("m", {"x": x}, version=4, outputs=["y"])

    assert mine.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
