"""Measures bare Predict calls: ready bytes, a number of clients in a closed loop, latency and rate."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
import numpy as np

from protos.onair.v1.tfserving_pb2 import PredictRequest
from serving import contract
from serving.client import predict_request
from serving.credentials import PLAIN, Credentials
from serving.errors import serving_error
from serving.tensors import Array
from serving.verbs import UserError

REQUEST_TIMEOUT_S = 30.0
SEED = 0


@dataclass(frozen=True, slots=True)
class Level:
    """What one number of clients measured.

    Attributes:
        clients: How many asked at once, each its next request when its last was answered.
        requests: How many were answered.
        p50_ms: Median latency.
        p99_ms: 99th percentile of the latency.
        rate: Answers per second.
    """

    clients: int
    requests: int
    p50_ms: float
    p99_ms: float
    rate: float


async def measure(
    target: str, requests: Sequence[bytes], *, clients: int, seconds: float, credentials: Credentials = PLAIN
) -> Level:
    """Sends serialised `PredictRequest`s in turn for a while, without reading the answers' tensors.

    Args:
        target: gRPC address of the model server.
        requests: The serialised requests, sent in turn.
        clients: How many ask at once.
        seconds: How long to measure, after one request as warm-up.
        credentials: By what the server is known, and what it knows us by.

    Raises:
        ServingError: A call failed.
    """
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    latencies_s: list[float] = []
    async with credentials.aio_channel(target, options) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(contract.PREDICT)
        try:
            await call(requests[0], timeout=REQUEST_TIMEOUT_S)
            started = time.perf_counter()

            async def ask(first: int) -> None:
                index = first
                while (sent := time.perf_counter()) - started < seconds:
                    await call(requests[index % len(requests)], timeout=REQUEST_TIMEOUT_S)
                    latencies_s.append(time.perf_counter() - sent)
                    index += clients

            await asyncio.gather(*(ask(client) for client in range(clients)))
        except grpc.aio.AioRpcError as error:
            raise serving_error(error.code(), error.details() or "the server gave no reason") from error
        elapsed_s = time.perf_counter() - started
    p50_ms, p99_ms = (np.percentile(latencies_s, [50, 99]) * 1e3).tolist()
    return Level(clients, len(latencies_s), p50_ms, p99_ms, len(latencies_s) / elapsed_s)


def synthetic_request(metadata: contract.ModelMetadata, signature: str, candidates: int) -> PredictRequest:
    """A request that a signature accepts, of random values.

    Args:
        metadata: The model's.
        signature: Which of its signatures.
        candidates: Size of each unknown first dimension; other unknown ones are 1.

    Raises:
        UserError: The model has no such signature.
    """
    if signature not in metadata.signatures:
        known = ", ".join(metadata.signatures)
        raise UserError(f"model {metadata.name} has no signature {signature}; it has {known}")
    generator = np.random.default_rng(SEED)
    inputs = {
        name: _random_array(generator, spec, candidates) for name, spec in metadata.signatures[signature].inputs.items()
    }
    return predict_request(metadata.name, inputs, signature=signature, version=metadata.version)


def _random_array(generator: np.random.Generator, spec: contract.TensorSpec, candidates: int) -> Array:
    shape = [size or (1 if axis else candidates) for axis, size in enumerate(spec.shape or ())]
    if spec.dtype.kind == "f":
        return generator.random(shape).astype(spec.dtype)
    if spec.dtype.kind == "O":
        return np.full(shape, b"", dtype=object)
    return generator.integers(0, 2, shape).astype(spec.dtype)
