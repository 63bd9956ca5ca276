"""The watch of a client: sees each Predict for as long as it lasts, and gives headers to it. A real server's port."""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from protos.onair.v1.tfserving_pb2 import ModelSpec, PredictRequest, PredictResponse
from serving import contract
from serving.client import Metadata, ModelServerClient
from serving.errors import ModelNotFoundError

INPUTS = {"x": np.zeros(1, np.float32)}


class Diary:
    """Notes when calls begin and end, and what the server received."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def watch(self, spec: ModelSpec) -> Generator[Metadata]:
        self.lines.append(f"begins {spec.name} {spec.version.value} {spec.signature_name}")
        try:
            yield (("traceparent", "00-1-2-01"),)
        finally:
            self.lines.append("ends")

    async def predict(self, request: PredictRequest, context: Any) -> PredictResponse:
        headers = dict(context.invocation_metadata())
        self.lines.append(f"received {headers.get('traceparent', 'none')}")
        if request.model_spec.name == "gone":
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        return PredictResponse()


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
async def target(diary: Diary) -> AsyncGenerator[str]:
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(
        diary.predict,
        request_deserializer=PredictRequest.FromString,
        response_serializer=PredictResponse.SerializeToString,
    )
    _, service, method = contract.PREDICT.split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_predict_carries_what_its_watch_gives_and_lies_within_it(diary: Diary, target: str) -> None:
    async with ModelServerClient(target, watch=diary.watch) as client:
        await client.predict("mmoe", INPUTS, version=3, timeout_s=30)
    assert diary.lines == ["begins mmoe 3 serving_default", "received 00-1-2-01", "ends"]


async def test_the_watch_ends_with_a_predict_that_fails(diary: Diary, target: str) -> None:
    async with ModelServerClient(target, watch=diary.watch) as client:
        with pytest.raises(ModelNotFoundError):
            await client.predict("gone", INPUTS, timeout_s=30)
    assert diary.lines[-1] == "ends"


async def test_a_client_that_nobody_watches_sends_no_headers_of_its_own(diary: Diary, target: str) -> None:
    async with ModelServerClient(target) as client:
        await client.predict("mmoe", INPUTS, timeout_s=30)
    assert diary.lines == ["received none"]
