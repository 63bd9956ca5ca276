"""What verbs that call a running service have in common: its address, a client of it, and its refusals in one line."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc.aio

from feature_service.client import FeatureServiceClient
from serving.commands.arguments import add_tls, local_path, tls_of
from serving.credentials import Credentials
from serving.verbs import UserError


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares where the service is, and how long to wait for it."""
    parser.add_argument("--address", default="127.0.0.1:8600", help="the service (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="deadline (default %(default)s s)")
    add_tls(parser)
    parser.add_argument("--token-file", type=local_path, metavar="FILE", help="file that holds our bearer token")


def credentials_of(arguments: argparse.Namespace) -> Credentials:
    """What the arguments name to call the service with.

    Raises:
        CredentialsError: The files do not go together.
    """
    return replace(tls_of(arguments), token=arguments.token_file)


@asynccontextmanager
async def service_client(arguments: argparse.Namespace) -> AsyncGenerator[FeatureServiceClient]:
    """A client of the service that the arguments name.

    Raises:
        UserError: A call was refused or not answered, or the API cannot hold an argument.
    """
    async with FeatureServiceClient(arguments.address, arguments.timeout, credentials_of(arguments)) as client:
        try:
            yield client
        except grpc.aio.AioRpcError as error:
            raise UserError(f"{arguments.address}: {error.code().name}: {error.details()}") from None
        except ValueError as error:
            raise UserError(f"expected arguments that the API can hold, received: {error}") from None
