"""The REST transport: status, metadata and predict of TF Serving's HTTP API."""

import json
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from protos.onair.v1.tfserving_pb2 import GetModelMetadataRequest, GetModelStatusRequest, ModelSpec, SignatureDefMap
from serving.contract import SERVING_DEFAULT, SIGNATURE_FIELD
from serving.errors import ServingError, http_status, serving_error
from serving.local.dataplane import DataPlane, find_signature, run
from serving.local.rest_json import arrays_to_columns, arrays_to_rows, columns_to_arrays, parse_body, rows_to_arrays

log = logging.getLogger(__name__)

_MODEL = r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_STATUS_PATH = re.compile(_MODEL)
_METADATA_PATH = re.compile(_MODEL + "/metadata")
_PREDICT_PATH = re.compile(_MODEL + ":predict")
_EXAMPLE_PATH = re.compile(_MODEL + ":(classify|regress)")
_NOT_FOUND_PAGE = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"


def start_rest_server(plane: DataPlane, port: int) -> ThreadingHTTPServer:
    """Starts to answer on all interfaces, on threads of its own.

    Raises:
        ServerUnavailableError: The port is taken.
    """

    class Handler(_Handler):
        data_plane = plane

    try:
        server = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104 (as tensorflow_model_server listens)
    except OSError as error:
        reason = f"cannot listen on port {port}: {error.strerror}"
        raise serving_error(grpc.StatusCode.UNAVAILABLE, reason) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def answer(plane: DataPlane, method: str, path: str, body: bytes) -> dict[str, Any]:
    """The JSON answer to a request under `/v1/`.

    Raises:
        ServingError: Whatever the data plane refuses, and malformed requests.
    """
    if method == "GET" and (match := _STATUS_PATH.fullmatch(path)):
        return _as_dict(plane.model_status(GetModelStatusRequest(model_spec=_spec(match))))
    if method == "GET" and (match := _METADATA_PATH.fullmatch(path)):
        return _metadata(plane, _spec(match))
    if method == "POST" and (match := _PREDICT_PATH.fullmatch(path)):
        return _predict(plane, _spec(match), body)
    if method == "POST" and _EXAMPLE_PATH.fullmatch(path):
        raise serving_error(grpc.StatusCode.UNIMPLEMENTED, f"{path}: the embedded server answers :predict only")
    raise _refused(f"Malformed request: {method} {path}")


def _refused(message: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, message)


def _spec(match: re.Match[str]) -> ModelSpec:
    spec = ModelSpec(name=match["model"])
    if match["version"]:
        try:
            spec.version.value = int(match["version"])
        except ValueError as error:  # more than an int64
            raise _refused(f"Failed to convert version: {match['version'][:40]} to numeric.") from error
    elif match["label"]:
        spec.version_label = match["label"]
    return spec


def _predict(plane: DataPlane, spec: ModelSpec, body: bytes) -> dict[str, Any]:
    with plane.model(spec) as (_, servable):
        document = parse_body(body)
        name = str(document.get("signature_name", SERVING_DEFAULT))
        try:
            signature = find_signature(servable, name)
        except ServingError as error:
            raise _refused(f'Serving signature name: "{name}" not found in signature def') from error
        if "instances" in document:
            return {"predictions": arrays_to_rows(run(signature, rows_to_arrays(signature, document)))}
        return {"outputs": arrays_to_columns(run(signature, columns_to_arrays(signature, document)))}


def _metadata(plane: DataPlane, spec: ModelSpec) -> dict[str, Any]:
    response = plane.model_metadata(GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_FIELD]))
    signatures = SignatureDefMap.FromString(response.metadata[SIGNATURE_FIELD].value)
    return {"model_spec": _as_dict(response.model_spec), "metadata": {SIGNATURE_FIELD: _as_dict(signatures)}}


def _as_dict(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, answers JSON."""

    data_plane: DataPlane
    protocol_version = "HTTP/1.1"
    timeout = (
        30  # seconds without a byte, as TF Serving's --rest_api_timeout_in_ms; else a lost client keeps its thread
    )
    wbufsize = -1  # one packet for head and body, else Nagle's algorithm delays the second by 40 ms

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def do_DELETE(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        log.debug(format, *args)

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True  # where the next request starts cannot be told
            self._send_json(411, {"error": "Content-Length: expected the length of the body"})
            return
        body = self.rfile.read(int(length))
        path = self.path.partition("?")[0]
        if not path.startswith("/v1/"):
            self._send(404, "text/html; charset=ISO-8859-1", _NOT_FOUND_PAGE)
            return
        try:
            self._send_json(200, answer(self.data_plane, self.command, path, body))
        except ServingError as error:
            self._send_json(http_status(error.code), {"error": error.message})
        except ConnectionError:
            self.close_connection = True  # the caller has gone
        except Exception as error:
            log.exception("%s %s failed", self.command, path)
            self._send_json(500, {"error": f"{type(error).__name__}: {error}"})

    def _send_json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content, indent=4).encode())

    def _send(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
