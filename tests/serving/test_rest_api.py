"""The REST API, as recorded from TensorFlow Serving."""

import json
import math
import socket
import urllib.error
import urllib.request
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from serving.errors import RequestRefusedError
from serving.local.rest_server import answer
from serving.local.servable import Servable
from tests.serving.model_servers import Server


def ask(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(server.rest_url + path, content, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read().decode()
            is_json = error.headers["Content-Type"] == "application/json"
            return error.code, json.loads(text)["error"] if is_json else text


def predict(server: Server, body: Any, path: str = "m") -> tuple[int, Any]:
    return ask(server, "POST", f"/v1/models/{path}:predict", body)


ROW = {"instances": [[1, 1, 1]]}


@pytest.mark.parametrize(
    ("path", "y"), [("m", 5.0), ("m/versions/1", 4.0), ("m/labels/stable", 4.0), ("m/labels/canary", 5.0)]
)
def test_rows_are_answered_by_the_version_of_the_path(server: Server, path, y):
    assert predict(server, ROW, path) == (200, {"predictions": [{"batch": 1, "y": [y]}]})


def test_columns_are_answered_by_column(server: Server):
    assert predict(server, {"inputs": {"x": [[1, 1, 1]], "more": 1}}) == (200, {"outputs": {"batch": [1], "y": [[5]]}})


def test_the_only_input_needs_no_name_and_the_only_output_gets_none(server: Server):
    body = {"signature_name": "boom", "inputs": [0, 2]}

    assert predict(server, body) == (200, {"outputs": [1.0, 3.0]})
    assert predict(server, {"signature_name": "boom", "instances": [0, 2]}) == (200, {"predictions": [1.0, 3.0]})


def test_floats_are_written_with_their_shortest_digits(server: Server):
    status, answered = predict(server, {"instances": [[0.1, 0, 0]]})

    assert (status, answered["predictions"][0]["y"]) == (200, [2.1])


def test_not_a_number_goes_both_ways(server: Server):
    status, answered = predict(server, '{"instances": [[NaN, 0, 0]]}')

    assert status == 200
    assert math.isnan(answered["predictions"][0]["y"][0])


def test_strings_are_text_or_base64(server: Server):
    body = {"signature_name": "two", "instances": [{"s": {"b64": "YQ=="}, "n": 1}, {"s": "b", "n": 2}]}

    assert predict(server, body) == (200, {"predictions": ["a-1", "b-2"]})


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nosuch", ROW, 404, "Servable not found for request: Latest(nosuch)"),
        ("m/versions/99", ROW, 404, "Servable not found for request: Specific(m, 99)"),
        ("m/labels/nope", ROW, 400, "Unrecognized servable version label: nope"),
        ("m", {"signature_name": "nosig", **ROW}, 400,
         'Serving signature name: "nosig" not found in signature def'),
        ("m", {"signature_name": "two", "inputs": {"s": ["a"]}}, 400, "Missing named input: n in 'inputs' object."),
        ("m", {"instances": [["a", 1, 1]]}, 400,
         ("Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"a\" Type: String"
         " is not of expected type: float")),
        ("m", {"instances": [[1, 1, 1], [1, 1]]}, 400,
         ("Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 3 but"
         " got: 2")),
        ("m", "{1}", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
        ("m", "", 400, "JSON Parse error: The document is empty"),
        ("m", "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("m", {"instances": [1], "inputs": [1]}, 400,
         ('JSON Value: {\n "instances": [1],\n "inputs": [1]\n} Not formatted correctly expecting only one of'
         " 'inputs' or 'instances' keys to exist ")),
        ("m", {"instances": []}, 400, "JSON Value: {\n \"instances\": []\n} No values in 'instances' array"),
    ],
)  # fmt: skip
def test_predict_refuses_with_the_recorded_words(server: Server, path, body, status, message):
    assert predict(server, body, path) == (status, message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"instances": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"instances": ' + "[" * 90 + "1" + "]" * 90 + "}", "more than 63 dimensions"),
        ('{"instances": [[1, 1, ' + "9" * 5_000 + "]]}", "Number too big"),
        ('{"signature_name": "scalar", "inputs": "\\ud800"}', "The surrogate pair in string is invalid"),
        ('{"signature_name": null, "instances": [[1, 1, 1]]}', "not found in signature def"),
    ],
)
def test_a_hostile_body_is_the_callers_mistake(server: Server, body, message):
    status, error = predict(server, body)

    assert (status, message in error) == (400, True)


def test_a_model_without_the_default_signature_says_so():
    servable = Servable({}, b"", lambda: None)
    plane: Any = SimpleNamespace(model=lambda spec: nullcontext((1, servable)))

    with pytest.raises(RequestRefusedError, match='Serving signature name: "serving_default" not found'):
        answer(plane, "POST", "/v1/models/two_tower:predict", b'{"instances": [1]}')


@pytest.mark.parametrize("header", ["Content-Length: abc", "Content-Length: -1", "Transfer-Encoding: chunked"])
def test_a_body_of_unknown_length_is_refused(server: Server, header):
    host, port = server.rest_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        received = connection.makefile("rb").read()  # to the end: the server closes

    assert received.startswith(b"HTTP/1.1 411 ") or server.kind == "stock"


def test_what_the_op_says_is_passed_on(server: Server):
    status, message = predict(server, {"instances": [[1, 1]]})

    assert (status, message.splitlines()[0]) == (400, "Matrix size-incompatible: In[0]: [1,2], In[1]: [3,1]")


def version_status(version: str) -> dict[str, Any]:
    return {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


@pytest.mark.parametrize(
    ("path", "versions"), [("m2", ["1"]), ("m", ["2", "1"]), ("m/versions/2", ["2"]), ("m/labels/canary", ["2", "1"])]
)
def test_status_lists_the_versions(server: Server, path, versions):
    assert ask(server, "GET", f"/v1/models/{path}") == (
        200,
        {"model_version_status": [version_status(version) for version in versions]},
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/nosuch", 404, "Could not find any versions of model nosuch"),
        ("GET", "/v1/models/m/versions/99", 404, "Could not find version 99 of model m"),
        ("GET", f"/v1/models/m/versions/{2**64}", 400, f"Failed to convert version: {2**64} to numeric."),
        ("GET", "/v1/models/nosuch/metadata", 404, "Servable not found for request: Latest(nosuch)"),
        ("POST", "/v1/models/m:foo", 400, "Malformed request: POST /v1/models/m:foo"),
        ("GET", "/v1/models/m:predict", 400, "Malformed request: GET /v1/models/m:predict"),
        ("PUT", "/v1/models/m:predict", 400, "Malformed request: PUT /v1/models/m:predict"),
    ],
)
def test_other_requests_are_refused_with_the_recorded_words(server: Server, method, path, status, message):
    assert ask(server, method, path) == (status, message)


def test_a_query_behind_the_path_is_ignored(server: Server):
    assert ask(server, "GET", "/v1/models/m2?verbose=1") == ask(server, "GET", "/v1/models/m2")


def test_a_path_outside_the_api_is_not_found(server: Server):
    status, page = ask(server, "GET", "/v2/foo")

    assert status == 404
    assert "<H1>Not Found</H1>" in page


def test_metadata_describes_the_signatures(server: Server):
    status, answered = ask(server, "GET", "/v1/models/m/versions/1/metadata")

    assert status == 200
    assert answered["model_spec"] == {"name": "m", "signature_name": "", "version": "1"}
    signature = answered["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "3"]
