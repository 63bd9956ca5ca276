"""The recorded behaviour of TensorFlow Serving, asked of the embedded server and of the one TF_MODEL_SERVER names."""

from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from grpc_health.v1 import health_pb2

from protos.onair.v1 import tfserving_pb2 as messages
from serving import contract
from serving.client import predict_request
from serving.tensors import to_array
from tests.serving.model_servers import Answer, Server

X = np.ones((1, 3), np.float32)  # version 1 gives 1+1+1+1 = 4, version 2 gives 5
BOOM = {"signature": "boom"}


def predict(model: str = "m", inputs: dict[str, Any] | None = None, **options: Any) -> messages.PredictRequest:
    return predict_request(model, {"x": X} if inputs is None else inputs, **options)


def values(answer: Answer) -> dict[str, Any]:
    return {name: to_array(tensor).tolist() for name, tensor in answer.response.outputs.items()}


@pytest.mark.parametrize(
    ("options", "version", "y"),
    [
        ({}, 2, 5.0),
        ({"version": 1}, 1, 4.0),
        ({"label": "stable"}, 1, 4.0),
        ({"label": "canary"}, 2, 5.0),
        ({"signature": "serving_default"}, 2, 5.0),
        ({"signature": ""}, 2, 5.0),
    ],
)
def test_predict_answers_from_the_version_the_spec_means(server: Server, options, version, y):
    answer = server.call.predict(predict(**options))

    assert values(answer) == {"y": [[y]], "batch": [1]}
    assert answer.response.model_spec == messages.ModelSpec(
        name="m", version={"value": version}, signature_name="serving_default"
    )


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict(label=""), "INVALID_ARGUMENT", "Unrecognized servable version label: "),
        (predict(label="nope"), "INVALID_ARGUMENT", "Unrecognized servable version label: nope"),
        (predict("m2", label="stable"), "INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
        (predict("nosuch", label="stable"), "INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
        (predict("nosuch"), "NOT_FOUND", "Servable not found for request: Latest(nosuch)"),
        (predict("nosuch", version=1), "NOT_FOUND", "Servable not found for request: Specific(nosuch, 1)"),
        (predict(""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (messages.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (predict(version=99), "NOT_FOUND", "Servable not found for request: Specific(m, 99)"),
        (predict(version=0), "NOT_FOUND", "Servable not found for request: Specific(m, 0)"),
        (predict(version=-1), "NOT_FOUND", "Servable not found for request: Specific(m, -1)"),
        (predict(signature="nosig"), "FAILED_PRECONDITION", 'Serving signature key "nosig" not found.'),
    ],
)
def test_predict_refuses_a_spec_that_means_nothing(server: Server, request_, code, message):
    assert server.call.predict(request_) == Answer(code, message)


S, N = np.array(["a"]), np.array([1])


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            predict(inputs={}),
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            predict(inputs={"x": X, "z": X}),
            (
                "input size does not match signature: 2!=1 len({x,z}) != len({x})."
                " Sent extra: {z}. Missing but required: {}."
            ),
        ),
        (
            predict(inputs={"s": S}, signature="two"),
            (
                "input size does not match signature: 1!=2 len({s}) != len({n,s})."
                " Sent extra: {}. Missing but required: {n}."
            ),
        ),
        (
            predict(inputs={"z": X}),
            (
                "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value"
                " provided. Inputs expected to be in the request {z}, or default input alias set: "
            ),
        ),
        (
            predict(inputs={"s": S, "q": N}, signature="two"),
            (
                "Signature input alias: n(feed name: two_n:0) not found in request and no default value"
                " provided. Inputs expected to be in the request {q,s}, or default input alias set: "
            ),
        ),
        (predict(inputs={"x": X.astype("f8")}), "Expects arg[0] to be float but double is provided"),
        (predict(inputs={"x": np.array([["a"] * 3])}), "Expects arg[0] to be float but string is provided"),
        (predict(inputs={"x": X.astype("i8")}), "Expects arg[0] to be float but int64 is provided"),
        (predict(inputs={"x": X[:, :2]}), "Matrix size-incompatible: In[0]: [1,2], In[1]: [3,1]"),
        (
            predict(inputs={"s": np.array(["a", "b"]), "n": np.arange(3)}, signature="two"),
            "Input shapes do not match: [2] vs. [3]",
        ),
        (
            predict(outputs=["nope"]),
            "output tensor alias not found in signature: nope Outputs expected to be in the set {batch,y}.",
        ),
        (predict(outputs=["y", "y"]), "duplicate output tensor alias: y"),
        (predict(inputs={"i": np.array([-1], "i4")}, **BOOM), "assertion failed: [negative id] [-1]"),
        (predict(inputs={"i": np.array([5], "i4")}, **BOOM), "indices[0] = 5 is not in [0, 3)"),
    ],
)
def test_predict_refuses_inputs_with_the_recorded_words(server: Server, request_, message):
    assert server.call.predict(request_) == Answer("INVALID_ARGUMENT", message)


def test_predict_refuses_a_wrong_rank_in_the_words_of_the_kernel(server: Server):
    """TensorFlow multiplies by oneDNN where the CPU profits, and by Eigen elsewhere."""
    words = ("In[0] ndims must be >= 2", "In[0] and In[1] has different ndims: [3] vs. [3,1]")
    assert server.call.predict(predict(inputs={"x": X[0]})) in [Answer("INVALID_ARGUMENT", each) for each in words]


def test_init_op_is_no_signature_to_call(server: Server):
    answer = server.call.predict(predict(inputs={}, signature="__saved_model_init_op"))

    assert answer == Answer("OUT_OF_RANGE", "Node 'NoOp' (type: 'NoOp', num of outputs: 0) does not have output 0")


def test_output_filter_leaves_the_rest_out(server: Server):
    assert values(server.call.predict(predict(outputs=["y"]))) == {"y": [[5.0]]}


def test_an_empty_batch_is_answered_empty(server: Server):
    assert values(server.call.predict(predict(inputs={"x": X[:0]}))) == {"y": [], "batch": []}


def test_strings_go_in_and_come_out(server: Server):
    inputs = {"s": np.array(["a", "é"]), "n": np.array([1, 2])}

    answer = server.call.predict(predict(inputs=inputs, signature="two"))

    assert values(answer) == {"joined": [b"a-1", "é-2".encode()]}


def test_a_scalar_signature_takes_a_scalar(server: Server):
    answer = server.call.predict(predict(inputs={"s": np.array("abc")}, signature="scalar"))

    assert values(answer) == {"len": 3}


def test_the_layout_signature_answers_one_row_of_columns_per_probe(server: Server):
    answer = server.call.predict(predict(inputs={"probe": np.zeros(2, "i4")}, signature="layout"))

    assert values(answer) == {"candidate": [[b"a@1:float32:1", b"b@1:int64:2"]] * 2}


def tensor_request(text: str) -> messages.PredictRequest:
    request = predict(inputs={})
    request.inputs["x"].CopyFrom(text_format.Parse(text, messages.TensorProto()))
    return request


SHAPE_23 = "tensor_shape { dim { size: 2 } dim { size: 3 } }"


@pytest.mark.parametrize(
    ("tensor", "y"),
    [
        (f"dtype: DT_FLOAT {SHAPE_23} float_val: 1", [[5.0], [5.0]]),  # the last value is repeated
        (f"dtype: DT_FLOAT {SHAPE_23}", [[2.0], [2.0]]),  # none: zeros
        (f"dtype: DT_FLOAT {SHAPE_23}" + " float_val: 0.5" * 7, [[3.5], [3.5]]),  # surplus: ignored
        (f"dtype: DT_FLOAT {SHAPE_23} int_val: 1", [[2.0], [2.0]]),  # the wrong field: none
    ],
)
def test_typed_values_are_read_by_tensorflows_rules(server: Server, tensor, y):
    assert values(server.call.predict(tensor_request(tensor)))["y"] == y


@pytest.mark.parametrize(
    "tensor",
    [
        "dtype: DT_INVALID tensor_shape { dim { size: 1 } } float_val: 1",
        f"dtype: DT_FLOAT {SHAPE_23} tensor_content: 'abc'",
        f"dtype: DT_FLOAT {SHAPE_23} tensor_content: '" + "a" * 28 + "'",
        "dtype: DT_FLOAT tensor_shape { dim { size: -1 } } float_val: 1",
        f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: {2**50} }} }}",  # more than memory holds
    ],
)
def test_a_tensor_that_does_not_parse_is_named(server: Server, tensor):
    assert server.call.predict(tensor_request(tensor)) == Answer("INVALID_ARGUMENT", "tensor parsing error: x")


@pytest.mark.parametrize(
    ("spec", "fields", "code", "message"),
    [
        ("name: 'm'", [], "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
        ("name: 'm'", ["foo"], "INVALID_ARGUMENT", "Metadata field foo is not supported"),
        ("name: 'm'", ["signature_def", "foo"], "INVALID_ARGUMENT", "Metadata field foo is not supported"),
        ("name: 'nosuch'", ["signature_def"], "NOT_FOUND", "Servable not found for request: Latest(nosuch)"),
        (
            "name: 'm' version { value: 99 }",
            ["signature_def"],
            "NOT_FOUND",
            "Servable not found for request: Specific(m, 99)",
        ),
        ("name: ''", ["signature_def"], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            "name: 'm' version_label: 'nope'",
            ["signature_def"],
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: nope",
        ),
    ],
)
def test_metadata_refuses_with_the_recorded_words(server: Server, spec, fields, code, message):
    request = messages.GetModelMetadataRequest(
        model_spec=text_format.Parse(spec, messages.ModelSpec()), metadata_field=fields
    )

    assert server.call(contract.GET_MODEL_METADATA, request) == Answer(code, message)


def test_metadata_describes_the_signatures(server: Server):
    request = messages.GetModelMetadataRequest(
        model_spec=messages.ModelSpec(name="m", version_label="stable"), metadata_field=["signature_def"]
    )

    response = server.call(contract.GET_MODEL_METADATA, request, messages.GetModelMetadataResponse).response

    assert response.model_spec == messages.ModelSpec(name="m", version={"value": 1})
    assert response.metadata["signature_def"].type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    metadata = contract.parse_metadata(response)
    assert metadata.signatures["serving_default"].inputs == {"x": contract.TensorSpec(np.dtype("float32"), (None, 3))}
    assert metadata.signatures["scalar"].inputs == {"s": contract.TensorSpec(np.dtype(object), ())}


@pytest.mark.parametrize(
    ("spec", "versions"),
    [
        ("name: 'm'", [2, 1]),
        ("name: 'm' version { value: 1 }", [1]),
        ("name: 'm' version_label: 'stable'", [2, 1]),
        ("name: 'm' version_label: 'nope'", [2, 1]),
    ],
)
def test_status_lists_versions_newest_first(server: Server, spec, versions):
    request = messages.GetModelStatusRequest(model_spec=text_format.Parse(spec, messages.ModelSpec()))

    response = server.call(contract.GET_MODEL_STATUS, request, messages.GetModelStatusResponse).response

    available = messages.ModelVersionStatus.AVAILABLE
    assert [(item.version, item.state) for item in response.model_version_status] == [
        (version, available) for version in versions
    ]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ("model_spec { name: 'm' version { value: 99 } }", "NOT_FOUND", "Could not find version 99 of model m"),
        ("model_spec { name: 'nosuch' }", "NOT_FOUND", "Could not find any versions of model nosuch"),
        ("model_spec { name: 'nosuch' version { value: 3 } }", "NOT_FOUND", "Could not find version 3 of model nosuch"),
        ("model_spec { name: '' }", "NOT_FOUND", "Could not find any versions of model "),
        ("", "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
)
def test_status_refuses_with_the_recorded_words(server: Server, request_, code, message):
    request = text_format.Parse(request_, messages.GetModelStatusRequest())

    assert server.call(contract.GET_MODEL_STATUS, request) == Answer(code, message)


@pytest.mark.parametrize("service", ["", "PredictionService", "ModelService"])
def test_health_answers_for_the_services_names(server: Server, service):
    request = health_pb2.HealthCheckRequest(service=service)

    answer = server.call("/grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse)

    assert answer.response.status == health_pb2.HealthCheckResponse.SERVING


def test_health_can_be_watched(server: Server):
    request = health_pb2.HealthCheckRequest(service="PredictionService").SerializeToString()
    watch = server.call.channel.unary_stream("/grpc.health.v1.Health/Watch")(request, timeout=20)

    first = health_pb2.HealthCheckResponse.FromString(next(watch))
    watch.cancel()

    assert first.status == health_pb2.HealthCheckResponse.SERVING


def test_health_does_not_know_other_names(server: Server):
    request = health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService")

    assert server.call("/grpc.health.v1.Health/Check", request) == Answer("NOT_FOUND", "service name unknown")


@pytest.mark.parametrize(
    "path", ["/tensorflow.serving.PredictionService/Nope", "/tensorflow.serving.SessionService/SessionRun"]
)
def test_what_is_not_served_is_unimplemented(server: Server, path):
    assert server.call(path, b"").code == "UNIMPLEMENTED"


def test_bytes_that_are_no_request_are_an_internal_error(server: Server):
    assert server.call(contract.PREDICT, b"\xff\xff\xff").code == "INTERNAL"
