"""Ask a service whether it may be asked: exit status 0 = yes, 1 = not now.

For probes where nothing else speaks its TLS, such as those of Kubernetes. It needs no token.

Examples:
  python -m feature_service health
  python -m feature_service health --address localhost:8600 --tls-ca ca.crt --tls-cert tls.crt --tls-key tls.key
"""

import argparse
import asyncio
import sys

import grpc.aio
from grpc_health.v1 import health_pb2

from protos.onair.v1 import recommendation_pb2 as pb
from serving.commands.arguments import add_tls, tls_of
from serving.credentials import Credentials
from serving.verbs import UserError

CHECK = "/grpc.health.v1.Health/Check"

SERVICE = pb.DESCRIPTOR.services_by_name["RecommendationService"].full_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--address", default="127.0.0.1:8600", help="the service (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="deadline (default %(default)s s)")
    add_tls(parser)


def run(arguments: argparse.Namespace) -> int:
    """Asks, and prints the answer.

    Raises:
        UserError: Nobody answers.
    """
    answer = asyncio.run(_ask(tls_of(arguments), arguments.address, arguments.timeout))
    sys.stdout.write(f"{health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}\n")
    return int(answer.status != health_pb2.HealthCheckResponse.SERVING)


async def _ask(credentials: Credentials, address: str, timeout_s: float) -> health_pb2.HealthCheckResponse:
    async with credentials.aio_channel(address, ()) as channel:
        check = channel.unary_unary(
            CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            return await check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise UserError(f"{address}: {error.code().name}: {error.details()}") from None
