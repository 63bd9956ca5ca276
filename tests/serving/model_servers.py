"""Model server processes for the tests, and raw calls to them."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from protos.onair.v1.tfserving_pb2 import PredictResponse
from serving import contract, launch

EMBEDDED = [sys.executable, "-m", "serving.local"]

# The suites judge the embedded server, and also the one that the variable names.
KINDS = ["embedded", "stock"] if os.environ.get(launch.SERVER_VARIABLE) else ["embedded"]


@dataclass(frozen=True)
class Answer:
    """What a call gave: a status code, the first line of its message, and the response if there is one."""

    code: str
    message: str
    response: Any = None


class Caller:
    """Calls a model server with raw messages."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target)

    def __call__(self, path: str, request: Any, response_type: Any = None, timeout_s: float = 20) -> Answer:
        payload = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            content = self.channel.unary_unary(path)(payload, timeout=timeout_s)
        except grpc.RpcError as error:
            lines = (error.details() or "").splitlines()
            return Answer(error.code().name, lines[0] if lines else "")
        return Answer("OK", "", response_type.FromString(content) if response_type else None)

    def predict(self, request: Any) -> Answer:
        return self(contract.PREDICT, request, PredictResponse)


@dataclass(frozen=True)
class Server:
    """A running model server of the session."""

    kind: str
    process: launch.ModelServer
    rest_url: str
    call: Caller


def start(kind: str, flags: dict[str, launch.Flag]) -> Iterator[Server]:
    """Starts a server of a kind with a REST API and fast retries, and stops it at the end."""
    rest_port = launch.free_port()
    flags = {
        "rest_api_port": rest_port,
        "file_system_poll_wait_seconds": 1,
        "max_num_load_retries": 1,
        "load_retry_interval_micros": 200_000,
        "allow_version_labels_for_unavailable_models": True,
        "enable_grpc_healthcheck_service": True,
    } | flags
    with pytest.MonkeyPatch.context() as patch:
        if kind == "embedded":
            patch.setattr(launch, "server_program", lambda: EMBEDDED)
        process = launch.start_model_server(flags)
    with process:
        caller = Caller(process.target)
        yield Server(kind, process, f"http://127.0.0.1:{rest_port}", caller)
        caller.channel.close()
    process.log_path.unlink()
